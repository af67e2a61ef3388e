//! Which core a thread lives on.
//!
//! A worker of A2C, its actors and their emulators take turns: while one of them works the others wait. Left to itself the
//! system often wakes one on the other worker's core, where it waits for a turn of some milliseconds and finds cold caches. With
//! a core for each worker and all that belongs to it, two cores take 2480 steps/s instead of 2280 (docs/performance.md).
//!
//! That serves where the workers are as many as the cores; with fewer, the emulators need the others. It changes no number. A
//! program beside this one takes turns with the one worker on its core, and the others wait: `learner.own_cores = false` leaves
//! the choice to the system.

use super::station::share;
use crate::plan::{Plan, Threading};

/// Where the threads of a run live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Homes {
    n_workers: usize,
    n_groups: usize,
    has_own_cores: bool,
}

/// Where a thread lives: on one core, or on any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(Option<usize>);

impl Homes {
    /// Everyone on any core.
    pub(crate) const ANYWHERE: Self = Self {
        n_workers: 1,
        n_groups: 1,
        has_own_cores: false,
    };

    /// Those of a run by `plan`.
    pub(crate) fn new(plan: &Plan, threading: Threading) -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let n_workers = plan.n_workers();
        let has_own_cores = plan.learner.own_cores
            && threading == Threading::Actors
            && n_workers == n_cores
            && n_cores > 1;
        Self {
            n_workers,
            n_groups: plan.env.n_groups,
            has_own_cores,
        }
    }

    /// That of a worker and of everyone who works for it.
    pub(crate) fn of_worker(self, number: usize) -> Home {
        Home(self.has_own_cores.then_some(number))
    }

    /// That of a group of environments: its worker's.
    pub(crate) fn of_group(self, group: usize) -> Home {
        let owns = |&number: &usize| share(number, self.n_workers, self.n_groups).contains(&group);
        (0..self.n_workers)
            .find(owns)
            .map_or(Home::ANYWHERE, |number| self.of_worker(number))
    }
}

impl Home {
    /// On any core.
    pub(crate) const ANYWHERE: Self = Self(None);

    /// Moves the calling thread in, with all threads that it starts from now on. It stays where it is if the system refuses.
    pub(crate) fn move_in(self) {
        #[cfg(target_os = "linux")]
        if let Some(number) = self.0 {
            linux::pin(number);
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// The cores that this process was given, before any thread was moved.
    fn given() -> Option<&'static CpuSet> {
        static GIVEN: OnceLock<Option<CpuSet>> = OnceLock::new();
        GIVEN.get_or_init(|| sched_getaffinity(None).ok()).as_ref()
    }

    /// Pins the calling thread to the core of this number among the given ones.
    pub(super) fn pin(number: usize) {
        let Some(given) = given() else { return };
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| given.is_set(core));
        if let Some(core) = cores.nth(number) {
            let mut own = CpuSet::new();
            own.set(core);
            // A refusal costs speed only.
            let _ = sched_setaffinity(None, &own);
        }
    }

    /// Lets the calling thread run on all given cores again.
    pub(super) fn unpin() {
        if let Some(given) = given() {
            let _ = sched_setaffinity(None, given);
        }
    }
}

/// The stay of a thread in a home; when it is dropped, the thread may go where it likes.
#[derive(Debug)]
pub(crate) struct Visit(Home);

impl Visit {
    /// Begins a visit of the calling thread at `home`.
    pub(crate) fn at(home: Home) -> Self {
        home.move_in();
        Self(home)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if self.0 != Home::ANYWHERE {
            linux::unpin();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use rustix::thread::sched_getaffinity;

    use super::*;

    fn n_cores_here() -> u32 {
        sched_getaffinity(None)
            .expect("it is asked of oneself")
            .count()
    }

    #[test]
    fn a_visitor_has_one_core_and_all_of_them_afterwards() {
        thread::scope(|scope| {
            let before = n_cores_here();
            let visit = Visit::at(Home(Some(0)));
            assert_eq!(n_cores_here(), 1);
            // Threads that start meanwhile live there too: so do the emulators'.
            let child = thread::Builder::new().spawn_scoped(scope, n_cores_here);
            assert_eq!(child.unwrap().join().unwrap(), 1);
            drop(visit);
            assert_eq!(n_cores_here(), before);
            drop(Visit::at(Home::ANYWHERE));
            assert_eq!(n_cores_here(), before);
        });
    }
}
