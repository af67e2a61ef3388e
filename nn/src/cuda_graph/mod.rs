//! CUDA graphs: the operations on a GPU that a function of tensors starts, captured once and started together afterwards.
//!
//! A network as small as Mnih et al.'s keeps a GPU busy for a fraction of the time that it takes to start its operations one by
//! one, some 15 us each in a virtual machine: twenty of them for a forward pass, a hundred for an update. A graph takes one start.
//! What it computes is the same, and with the same kernels.

mod captured;

pub use captured::Captured;

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;

use crate::NnError;

/// `RlrunGraph` of `graph.cpp`.
#[repr(C)]
struct RawGraph {
    _opaque: [u8; 0],
}

#[expect(unsafe_code, reason = "the bridge to libtorch's C++")]
// SAFETY: these are the functions of `graph.cpp`, with the types that they have there.
unsafe extern "C" {
    fn rlrun_graph_enter(device: i8, message: *mut c_char, size: usize) -> *mut RawGraph;
    fn rlrun_graph_begin(graph: *mut RawGraph, message: *mut c_char, size: usize) -> bool;
    fn rlrun_graph_end(graph: *mut RawGraph, message: *mut c_char, size: usize) -> bool;
    fn rlrun_graph_leave(graph: *mut RawGraph, message: *mut c_char, size: usize) -> bool;
    fn rlrun_graph_replay(graph: *mut RawGraph, message: *mut c_char, size: usize) -> bool;
    fn rlrun_graph_free(graph: *mut RawGraph);
}

/// A captured graph, or one in the making.
#[derive(Debug)]
struct Graph {
    raw: NonNull<RawGraph>,
}

#[expect(unsafe_code, reason = "libtorch's graphs may change threads")]
// SAFETY: an `at::cuda::CUDAGraph` belongs to no thread; only one at a time can use it, for every use takes `&mut self`.
unsafe impl Send for Graph {}

type Step = unsafe extern "C" fn(*mut RawGraph, *mut c_char, usize) -> bool;

impl Graph {
    /// Captures what `work` starts on GPU `device`, after two runs of it that make what is made at the first time only
    /// (handles, workspaces). All three happen on a stream of their own.
    ///
    /// # Errors
    /// If libtorch's CUDA library is not loaded or is of another version, or `work` does what no graph can hold.
    fn capture<T>(device: i8, mut work: impl FnMut() -> T) -> Result<(Self, T), NnError> {
        let raw = reported(|message, size| {
            #[expect(unsafe_code, reason = "a C++ function of ours")]
            // SAFETY: the message has room for `size` bytes.
            let raw = unsafe { rlrun_graph_enter(device, message, size) };
            NonNull::new(raw)
        })?;
        let mut side = Side {
            graph: Self { raw },
        };
        for _ in 0..2 {
            drop(work());
        }
        side.graph.step(rlrun_graph_begin)?;
        let result = work();
        side.graph.step(rlrun_graph_end)?;
        side.leave().map(|graph| (graph, result))
    }

    /// Starts what was captured, on this thread's current stream.
    fn replay(&mut self) -> Result<(), NnError> {
        self.step(rlrun_graph_replay)
    }

    fn step(&mut self, step: Step) -> Result<(), NnError> {
        let raw = self.raw.as_ptr();
        reported(|message, size| {
            #[expect(unsafe_code, reason = "a C++ function of ours")]
            // SAFETY: the graph lives until it is dropped, and the message has room for `size` bytes.
            let is_done = unsafe { step(raw, message, size) };
            is_done.then_some(())
        })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "a C++ function of ours")]
        // SAFETY: nothing uses it afterwards.
        unsafe {
            rlrun_graph_free(self.raw.as_ptr());
        }
    }
}

/// The time in which a graph's stream is the current one of this thread.
struct Side {
    graph: Graph,
}

impl Side {
    fn leave(self) -> Result<Graph, NnError> {
        // Its own `drop` would leave a second time.
        let side = std::mem::ManuallyDrop::new(self);
        let mut graph = Graph {
            raw: side.graph.raw,
        };
        graph.step(rlrun_graph_leave)?;
        Ok(graph)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Whatever went wrong is on its way to the caller already, and perhaps nothing was begun.
        let _ = self.graph.step(rlrun_graph_end);
        let _ = self.graph.step(rlrun_graph_leave);
    }
}

/// Runs a C++ function; where it gives nothing, its message is the error.
fn reported<T>(work: impl FnOnce(*mut c_char, usize) -> Option<T>) -> Result<T, NnError> {
    let mut message: [c_char; 1024] = [0; 1024];
    work(message.as_mut_ptr(), message.len()).ok_or_else(|| {
        #[expect(unsafe_code, reason = "C text")]
        // SAFETY: the buffer was filled with zeros, and `snprintf` ends what it writes with one.
        let text = unsafe { CStr::from_ptr(message.as_ptr()) };
        // libtorch puts a stack trace below the first line.
        let text = text.to_string_lossy();
        let cause = text.lines().next().unwrap_or_default().to_owned();
        NnError::CudaGraph { cause }
    })
}
