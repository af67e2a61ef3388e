// libtorch's CUDA graphs (at::cuda::CUDAGraph), which tch does not offer, behind C functions that report an exception as text.
//
// rlrun is not linked with libtorch's CUDA library, which is a gigabyte that a machine without a GPU need not load. So what is wanted of it is
// looked up by name once it is loaded, and what it takes and returns is declared here as ATen/cuda/CUDAGraph.h and c10/cuda/CUDAStream.h
// of libtorch 2.11 have it. Another libtorch has other names, or is taken for one without graphs.

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

namespace {

// c10::cuda::CUDAStream, which is a c10::Stream: the device's type and number, and the stream's.
struct Stream {
    std::int8_t device_type;
    std::int8_t device;
    std::int64_t id;
};

// c10::MempoolId_t. {0, 0}: a pool of the graph's own.
using Pool = std::pair<unsigned long long, unsigned long long>;

// cudaStreamCaptureModeRelaxed: what other threads ask of CUDA meanwhile is their affair.
constexpr int RELAXED = 2;

struct Api {
    Stream (*stream_from_pool)(bool is_high_priority, std::int8_t device);
    Stream (*current_stream)(std::int8_t device);
    void (*set_current_stream)(Stream);
    void (*synchronize)(const Stream *);
    void (*construct)(void *graph, bool keep_graph);
    void (*destruct)(void *graph);
    void (*capture_begin)(void *graph, Pool, int mode);
    void (*capture_end)(void *graph);
    void (*replay)(void *graph);
    bool is_complete;
};

template <typename Function> bool find(const char *name, Function &function) {
    function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
    return function != nullptr;
}

Api find_api() {
    Api api{};
    api.is_complete = find("_ZN3c104cuda17getStreamFromPoolEba", api.stream_from_pool) &&
                      find("_ZN3c104cuda20getCurrentCUDAStreamEa", api.current_stream) &&
                      find("_ZN3c104cuda20setCurrentCUDAStreamENS0_10CUDAStreamE", api.set_current_stream) &&
                      find("_ZNK3c104cuda10CUDAStream11synchronizeEv", api.synchronize) &&
                      find("_ZN2at4cuda9CUDAGraphC1Eb", api.construct) && find("_ZN2at4cuda9CUDAGraphD1Ev", api.destruct) &&
                      find("_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode", api.capture_begin) &&
                      find("_ZN2at4cuda9CUDAGraph11capture_endEv", api.capture_end) &&
                      find("_ZN2at4cuda9CUDAGraph6replayEv", api.replay);
    return api;
}

// Looked up at the first call, which comes after the devices were counted and the library loaded.
const Api &api() {
    static const Api found = find_api();
    return found;
}

// Runs `work`; what it throws becomes `message`, and the result false.
template <typename Work> bool guarded(char *message, std::size_t size, Work work) {
    try {
        work();
        return true;
    } catch (const std::exception &error) {
        std::snprintf(message, size, "%s", error.what());
    } catch (...) {
        std::snprintf(message, size, "%s", "an unknown exception");
    }
    return false;
}

} // namespace

struct RlrunGraph {
    // Where the graph is captured, and what was current before.
    Stream side;
    Stream before;
    // An at::cuda::CUDAGraph, of about 150 bytes.
    alignas(std::max_align_t) unsigned char storage[1024];
};

extern "C" {

// Waits for the current stream of `device` and makes a stream of its own the current one of this thread. Null if that failed.
RlrunGraph *rlrun_graph_enter(std::int8_t device, char *message, std::size_t size) {
    if (!api().is_complete) {
        std::snprintf(message, size, "%s", "no libtorch with the CUDA graphs of 2.11 is loaded");
        return nullptr;
    }
    RlrunGraph *graph = new (std::nothrow) RlrunGraph{};
    if (graph == nullptr) {
        std::snprintf(message, size, "%s", "out of memory");
        return nullptr;
    }
    const bool is_entered = guarded(message, size, [=] {
        graph->before = api().current_stream(device);
        api().synchronize(&graph->before);
        graph->side = api().stream_from_pool(false, device);
        api().construct(graph->storage, false);
        api().set_current_stream(graph->side);
    });
    if (!is_entered) {
        delete graph;
        return nullptr;
    }
    return graph;
}

// From here on operations on the side stream are recorded, not run.
bool rlrun_graph_begin(RlrunGraph *graph, char *message, std::size_t size) {
    return guarded(message, size, [=] { api().capture_begin(graph->storage, Pool{0, 0}, RELAXED); });
}

bool rlrun_graph_end(RlrunGraph *graph, char *message, std::size_t size) {
    return guarded(message, size, [=] { api().capture_end(graph->storage); });
}

// Waits for the side stream and makes the earlier one current again.
bool rlrun_graph_leave(RlrunGraph *graph, char *message, std::size_t size) {
    return guarded(message, size, [=] {
        api().set_current_stream(graph->before);
        api().synchronize(&graph->side);
    });
}

// Runs what was recorded, on the current stream.
bool rlrun_graph_replay(RlrunGraph *graph, char *message, std::size_t size) {
    return guarded(message, size, [=] { api().replay(graph->storage); });
}

void rlrun_graph_free(RlrunGraph *graph) {
    char ignored[64];
    guarded(ignored, sizeof ignored, [=] { api().destruct(graph->storage); });
    delete graph;
}

} // extern "C"
