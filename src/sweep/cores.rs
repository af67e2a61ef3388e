//! Which cores the processes of a sweep work on.
//!
//! Where there are enough, each job has its share of them, and a process sees no others: then its workers have cores of their own
//! (`learner.own_cores`), which are not those of another run. Where there are not, every process works on all cores, and is told not to pin
//! its threads: two runs that pin them to the same two cores take turns on each.

use std::thread;

/// The cores of each job.
#[derive(Debug)]
pub(super) struct Shares {
    n_jobs: usize,
    /// Of each job; 0 where the jobs share all cores.
    n_cores: usize,
}

impl Shares {
    /// Those of `n_jobs` runs, each of which keeps up to `width` cores busy.
    pub(super) fn new(n_jobs: usize, width: usize) -> Self {
        let all = thread::available_parallelism().map_or(1, usize::from);
        Self::of(all, n_jobs, width)
    }

    fn of(all: usize, n_jobs: usize, width: usize) -> Self {
        let share = all / n_jobs.max(1);
        let n_cores = if n_jobs > 1 && share >= width {
            share
        } else {
            0
        };
        Self { n_jobs, n_cores }
    }

    /// Whether runs meet on the same cores.
    pub(super) fn are_shared(&self) -> bool {
        self.n_jobs > 1 && self.n_cores == 0
    }

    /// Does `start` with this thread on the cores of job `number`; a process that is started there stays there.
    pub(super) fn within<T>(&self, number: usize, start: impl FnOnce() -> T) -> T {
        if self.n_cores == 0 {
            return start();
        }
        let cores = number * self.n_cores..(number + 1) * self.n_cores;
        on_cores(cores, start)
    }
}

/// The cores are counted among those that this process was given. A refusal of the system costs speed only.
#[cfg(target_os = "linux")]
fn on_cores<T>(numbers: std::ops::Range<usize>, start: impl FnOnce() -> T) -> T {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(given) = sched_getaffinity(None) else {
        return start();
    };
    let mut own = CpuSet::new();
    let cores = (0..CpuSet::MAX_CPU).filter(|&core| given.is_set(core));
    for core in cores.skip(numbers.start).take(numbers.len()) {
        own.set(core);
    }
    let _ = sched_setaffinity(None, &own);
    let outcome = start();
    let _ = sched_setaffinity(None, &given);
    outcome
}

#[cfg(not(target_os = "linux"))]
fn on_cores<T>(_: std::ops::Range<usize>, start: impl FnOnce() -> T) -> T {
    start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_have_cores_of_their_own_where_there_are_enough() {
        let check = |all, n_jobs, width, n_cores: usize, are_shared: bool| {
            let shares = Shares::of(all, n_jobs, width);
            assert_eq!((shares.n_cores, shares.are_shared()), (n_cores, are_shared));
        };
        check(2, 1, 2, 0, false);
        check(2, 2, 2, 0, true);
        check(2, 2, 1, 1, false);
        check(16, 8, 2, 2, false);
        check(16, 3, 2, 5, false);
        check(16, 9, 2, 0, true);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_stays_on_the_cores_where_it_was_started() {
        let shares = Shares {
            n_jobs: 2,
            n_cores: 1,
        };
        let n_cores_here = || {
            let counted = std::process::Command::new("nproc").output().unwrap();
            String::from_utf8_lossy(&counted.stdout).trim().to_owned()
        };
        let before = n_cores_here();
        assert_eq!(shares.within(0, n_cores_here), "1");
        assert_eq!(n_cores_here(), before);
    }
}
