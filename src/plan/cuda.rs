//! CUDA devices, found without making those who have none wait.
//!
//! The linker leaves libtorch's CUDA library out of the binary, since nothing in it is named there: loading its gigabyte would
//! double the time to start. It registers itself when it is loaded, so it is loaded by name where a driver is found, before
//! libtorch is first asked about CUDA (it asks only once).

use std::ffi::CStr;

/// CUDA devices that libtorch finds.
pub(super) fn n_devices() -> usize {
    if !(load(c"libcuda.so.1") && load(c"libtorch_cuda.so") && tch::Cuda::is_available()) {
        return 0;
    }
    usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
}

/// Loads a library for the rest of the process, and says whether that went well.
#[cfg(target_os = "linux")]
fn load(library: &CStr) -> bool {
    #[expect(
        unsafe_code,
        reason = "a library is loaded by name through a C function"
    )]
    // SAFETY: the name ends in NUL; the libraries named here are made to be loaded by any thread at any time.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    !handle.is_null()
}

/// libtorch has CUDA on Linux only, as far as rlrun goes.
#[cfg(not(target_os = "linux"))]
fn load(_library: &CStr) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn libtorchs_cuda_library_loads_where_it_is_installed() {
        let lib = option_env!("LIBTORCH").map(|dir| format!("{dir}/lib/libtorch_cuda.so"));
        if !lib.is_some_and(|lib| std::path::Path::new(&lib).exists()) {
            eprintln!("SKIPPED: this libtorch is without CUDA");
            return;
        }
        assert!(load(c"libtorch_cuda.so"));
        if n_devices() == 0 {
            eprintln!("SKIPPED: no CUDA device to compute on");
            return;
        }
        let sum =
            tch::Tensor::ones([3], (tch::Kind::Float, tch::Device::Cuda(0))).sum(tch::Kind::Float);
        assert!((sum.double_value(&[]) - 3.0).abs() < 1e-6);
    }
}
