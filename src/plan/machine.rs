//! What this machine has: cores, memory, CUDA devices. A plan is resolved against it.

use std::thread;

/// The parts of a machine that a plan depends on; a value, so that resolving stays a pure function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Cores this process may use, at least 1.
    pub(crate) cores: usize,
    /// Bytes of memory that can still be had; `None` where the system does not say.
    pub(crate) available_bytes: Option<u64>,
    /// CUDA devices that libtorch finds.
    pub(crate) cuda_devices: usize,
    /// Whether the processor has instructions that multiply bfloat16 numbers.
    pub(crate) multiplies_bf16: bool,
}

impl Machine {
    /// Looks at the machine this runs on.
    pub(crate) fn detect() -> Self {
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            available_bytes: available_bytes(),
            cuda_devices: super::cuda::n_devices(),
            multiplies_bf16: multiplies_bf16(),
        }
    }

    /// The devices that a network can live on, for an error message: `cpu (2 cores), cuda:0`.
    pub(crate) fn devices(&self) -> String {
        let cpu = match self.cores {
            1 => "cpu (1 core)".to_owned(),
            cores => format!("cpu ({cores} cores)"),
        };
        let cuda = (0..self.cuda_devices).map(|index| format!("cuda:{index}"));
        let names: Vec<String> = std::iter::once(cpu).chain(cuda).collect();
        names.join(", ")
    }
}

/// AVX512-BF16, which every processor with AMX has too, or Arm's BF16.
fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// Linux says what can be had without swapping; elsewhere all memory there is stands for it.
fn available_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo");
    meminfo
        .ok()
        .and_then(|text| mem_available(&text))
        .or_else(physical_bytes)
}

/// The line `MemAvailable:  8035652 kB`, in bytes.
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[expect(unsafe_code, reason = "sysconf has no safe form in std")]
fn physical_bytes() -> Option<u64> {
    // SAFETY: sysconf reads a number and has no preconditions.
    let (pages, page_bytes) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    u64::try_from(pages)
        .ok()?
        .checked_mul(u64::try_from(page_bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_bytes() {
        let text = "MemTotal:  16 kB\nMemAvailable:    8035652 kB\nBuffers: 1 kB\n";
        assert_eq!(mem_available(text), Some(8_035_652 * 1024));
        assert_eq!(mem_available("MemTotal: 16 kB\n"), None);
        assert!(physical_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
