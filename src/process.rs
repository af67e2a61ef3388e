//! What is set for the whole process before anything else: how memory is kept, and which kernels MKL chooses.

/// Blocks up to this many bytes come from the heap, which is kept; larger ones from the system, each time anew.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST_KEPT_BLOCK: libc::c_int = 1 << 30;

/// Sets up the process. To be called first thing in `main`.
pub(crate) fn set_up() {
    keep_freed_memory();
    #[cfg(target_arch = "x86_64")]
    std::hint::black_box(mkl_serv_intel_cpu_true as extern "C" fn() -> libc::c_int);
}

/// Tells the allocator to keep what is freed. glibc gives large blocks back to the system and asks for fresh pages a moment
/// later, which is dear, above all on virtual machines. The tensors of an update are such blocks, the same ones every time.
/// Variables that the user has set win.
fn keep_freed_memory() {
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

/// The answer to MKL's question whether this is a processor of Intel's, in place of MKL's own.
///
/// MKL, with which libtorch multiplies matrices, looks for AVX2 and AVX-512 only on Intel's processors; on all others it
/// takes kernels of their own at half the speed or less (docs/performance.md has the figures). After a yes it still asks the
/// processor which instructions it has, and `MKL_ENABLE_INSTRUCTIONS` still bounds them. The dynamic linker prefers this
/// function to the one in libtorch because that one is an exported symbol. Source: D. de Kok, "Intel MKL on AMD Zen" (2020).
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the name is what the linker goes by")]
// SAFETY: it has the signature of the function that it stands in for, which no other code of this program defines.
#[unsafe(no_mangle)]
extern "C" fn mkl_serv_intel_cpu_true() -> libc::c_int {
    1
}
