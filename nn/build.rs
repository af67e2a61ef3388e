//! Compiles the C++ beneath `cuda_graph`. It needs neither libtorch's headers nor CUDA.

fn main() {
    let source = "src/cuda_graph/graph.cpp";
    println!("cargo:rerun-if-changed={source}");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file(source)
        .compile("rlrun_cuda_graph");
}
