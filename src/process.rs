//! The process's allocator, set for tensors that come and go.
//!
//! glibc gives large blocks back to the system when they are freed and asks for fresh pages a moment later, which is dear,
//! above all on virtual machines. The tensors of an update are such blocks, the same ones every time: freed memory is kept.
//! Variables that the user has set win.

/// Blocks up to this many bytes come from the heap, which is kept; larger ones from the system, each time anew.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST_KEPT_BLOCK: libc::c_int = 1 << 30;

/// Tells the allocator to keep what is freed. To be called first thing in `main`.
pub(crate) fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let says_otherwise = |name| std::env::var_os(name).is_some();
        if says_otherwise("MALLOC_MMAP_THRESHOLD_") || says_otherwise("MALLOC_TRIM_THRESHOLD_") {
            return;
        }
        #[expect(
            unsafe_code,
            reason = "glibc's allocator is tuned through a C function"
        )]
        // SAFETY: mallopt takes plain numbers and may be called at any time; a refusal changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
