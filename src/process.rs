//! Settings of the process that libraries read once, before or at the start of `main`.
//!
//! * **Waiting threads sleep.** libtorch's OpenMP threads (libgomp) spin for milliseconds after each parallel section, on cores
//!   that the emulators need. `OMP_WAIT_POLICY=passive` lets them sleep. libgomp reads it when it is loaded, before
//!   `main`; so it is set in `.preinit_array`, which runs before the start-up code of any library. With another program
//!   busy on the same cores, training was 2 to 4 times as fast with it.
//! * **Freed memory is kept.** glibc gives large blocks back to the system and asks for fresh pages a moment later, which is
//!   dear, above all on virtual machines. The tensors of an update are such blocks, the same ones every time.
//!
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
        #[expect(unsafe_code, reason = "glibc's allocator is tuned through a C function")]
        // SAFETY: mallopt takes plain numbers and may be called at any time; a refusal changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod before_main {
    extern "C" fn let_waiting_threads_sleep() {
        #[expect(unsafe_code, reason = "the standard library is not to be used before main")]
        // SAFETY: one thread exists, the strings end in NUL, and 0 leaves a variable of the user alone.
        unsafe {
            libc::setenv(c"OMP_WAIT_POLICY".as_ptr(), c"passive".as_ptr(), 0);
        }
    }

    #[used]
    #[expect(unsafe_code, reason = "there is no safe way to run before libraries start")]
    // SAFETY: the section holds pointers to functions of C's calling convention, and this is one.
    #[unsafe(link_section = ".preinit_array")]
    static HOOK: extern "C" fn() = let_waiting_threads_sleep;
}
