//! Core-seconds: what this process has had of the machine's cores, whoever else wanted them.

use std::time::Instant;

use anyhow::Result;

/// What `measure` gives in core-seconds per wall second while it runs, with what it returns.
///
/// # Errors
/// Those of `measure`.
pub(super) fn cores_of<T>(measure: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let value = measure()?;
    let cores = (cpu_seconds() - cpu) / start.elapsed().as_secs_f64();
    Ok((value, cores))
}

/// The rate that `measure` finds, as it would be with all of `n_cores`: on a machine that others use as well, a program gets a
/// part of them only, and another part the next moment.
///
/// # Errors
/// Those of `measure`.
pub(super) fn rate_on_all(n_cores: usize, measure: impl FnOnce() -> Result<f64>) -> Result<f64> {
    let (rate, had) = cores_of(measure)?;
    Ok(scaled(rate, had, n_cores))
}

/// Never less than was measured: clocks of the system are coarse.
fn scaled(rate: f64, had: f64, n_cores: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are few cores")]
    let all = n_cores as f64;
    if had > 0.0 {
        rate * (all / had).max(1.0)
    } else {
        rate
    }
}

/// Seconds that all threads of this process, those that have ended included, had a core.
#[expect(unsafe_code, reason = "the process's clock has no safe form in std")]
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of our own, which outlives the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) } != 0;
    if failed {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of one process")]
    let (seconds, nanoseconds) = (time.tv_sec as f64, time.tv_nsec as f64);
    seconds + nanoseconds / 1e9
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_on_part_of_the_cores_is_scaled_to_all_and_never_down() {
        assert!((scaled(10.0, 0.5, 2) - 40.0).abs() < 1e-12);
        assert!((scaled(10.0, 2.1, 2) - 10.0).abs() < 1e-12);
        assert!((scaled(10.0, 0.0, 2) - 10.0).abs() < 1e-12);
    }

    #[test]
    fn work_takes_core_seconds() {
        let before = cpu_seconds();
        let start = Instant::now();
        while cpu_seconds() - before < 0.02 {
            assert!(start.elapsed() < Duration::from_mins(1), "the clock stands");
        }
        let (value, cores) = cores_of(|| Ok(7)).unwrap();
        assert!(value == 7 && cores >= 0.0);
    }
}
