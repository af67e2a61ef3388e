//! Which core a thread lives on.
//!
//! Some threads take turns: while one of them works the others wait. Left to itself the system often wakes one on a core where
//! somebody else computes, and it waits for a turn of some milliseconds while the core it came from has nothing to do. So all that take turns
//! share a core (docs/performance.md has what it gives):
//!
//! | agent | together on a core |
//! | --- | --- |
//! | A2C | a worker, its actors and their emulators |
//! | DQN | the collector, all actors and emulators, and the last thread of the update, which [rests](super::pool::UpdatePool::lend_core) while they work |
//!
//! That serves where there are as many workers as cores, and these are this process's; with fewer, the emulators need the others. It changes no number. A
//! program beside this one takes turns with whoever lives on its core, and the others wait: `learner.own_cores = false` leaves
//! the choice to the system.

use rlrun_nn::TorsoKind;

use super::station::share;
use crate::plan::{AgentPlan, EnvPlan, Plan, Threading};

/// Where the threads of a run live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Homes {
    /// Everyone on any core.
    Anywhere,
    /// Each worker of A2C on a core, with its share of the groups.
    Workers {
        /// As many as cores.
        n_workers: usize,
        /// Of the run.
        n_groups: usize,
    },
    /// Each thread of DQN's updates on a core, and with the last one all groups.
    Updaters {
        /// As many as cores.
        n_threads: usize,
    },
}

/// Where a thread lives: on one core, or on any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(Option<usize>);

/// Of so many cores one is enough for the emulators of any number of environments of DQN beside its updates: a step takes 0.3 to 0.6 ms of a core, a quarter of an update
/// 3 ms. One environment steps on one core at a time anyway.
const MOST_CORES_FOR_SEVERAL_ENVS: usize = 2;

impl Homes {
    /// Those of a run by `plan`.
    pub(crate) fn new(plan: &Plan, threading: Threading) -> Self {
        Self::on(n_cores_to_live_on(), plan, threading)
    }

    fn on(n_cores: usize, plan: &Plan, threading: Threading) -> Self {
        let n_workers = plan.n_workers();
        let EnvPlan {
            n_envs, n_groups, ..
        } = plan.env;
        let has_own_cores = plan.learner.own_cores
            && threading == Threading::Actors
            && n_workers == n_cores
            && n_cores > 1;
        match &plan.agent {
            AgentPlan::A2c(_) if has_own_cores => Self::Workers {
                n_workers,
                n_groups,
            },
            AgentPlan::Dqn(..)
                if has_own_cores
                    && (n_envs == 1 || n_cores <= MOST_CORES_FOR_SEVERAL_ENVS)
                    && plan.torso.kind != TorsoKind::Mlp =>
            {
                Self::Updaters {
                    n_threads: n_workers,
                }
            }
            _ => Self::Anywhere,
        }
    }

    /// That of a worker of A2C or a thread of DQN's updates.
    pub(crate) fn of_worker(self, number: usize) -> Home {
        Home((self != Self::Anywhere).then_some(number))
    }

    /// That of a group of environments, and of whoever waits for it.
    pub(crate) fn of_group(self, group: usize) -> Home {
        match self {
            Self::Anywhere => Home::ANYWHERE,
            Self::Workers {
                n_workers,
                n_groups,
            } => {
                let owns = |&number: &usize| share(number, n_workers, n_groups).contains(&group);
                Home((0..n_workers).find(owns))
            }
            Self::Updaters { n_threads } => self.of_worker(n_threads - 1),
        }
    }
}

/// Cores that a thread can be given one of; 0 where none can. A container that may use the time of two cores, on a machine with more, has none of them for itself.
fn n_cores_to_live_on() -> usize {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(target_os = "linux")]
    if linux::n_given() == Some(n_cores) {
        return n_cores;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = n_cores;
    0
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

    /// How many these are.
    pub(super) fn n_given() -> Option<usize> {
        usize::try_from(given()?.count()).ok()
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
    use crate::plan::{self, Asked, Machine};

    /// Where the groups of such a run live on so many cores, with as many workers.
    fn homes(n_cores: usize, sets: &[&str]) -> Homes {
        let threads = format!("learner.threads={n_cores}");
        let sets = sets.iter().copied().chain(["learner.device=cpu", &threads]);
        let asked = Asked {
            sets: sets.map(str::to_owned).collect(),
            ..Asked::default()
        };
        let plan = plan::resolve(&asked, &Machine::detect()).expect("a plan");
        for threading in [Threading::Serial, Threading::ActorsOnSharedCores] {
            assert_eq!(Homes::on(n_cores, &plan, threading), Homes::Anywhere);
        }
        let more_cores = Homes::on(n_cores + 1, &plan, Threading::Actors);
        assert_eq!(more_cores, Homes::Anywhere);
        Homes::on(n_cores, &plan, Threading::Actors)
    }

    #[test]
    fn groups_of_a2c_live_with_their_workers() {
        let of = homes(2, &["game=Pong", "env.n_envs=8", "env.n_groups=4"]);
        let cores = [0, 1, 2, 3].map(|group| of.of_group(group));
        assert_eq!(cores, [0, 0, 1, 1].map(|core| Home(Some(core))));
        assert_eq!(of.of_worker(1), Home(Some(1)));
    }

    #[test]
    fn groups_of_dqn_live_with_the_last_thread_of_the_update_where_one_core_is_enough() {
        let dqn = |n_cores, n_envs: &str, more: &[&str]| {
            let sets = [&["game=Pong", "agent=dqn", n_envs], more].concat();
            homes(n_cores, &sets).of_group(0)
        };
        assert_eq!(dqn(2, "env.n_envs=1", &[]), Home(Some(1)));
        assert_eq!(dqn(2, "env.n_envs=8", &[]), Home(Some(1)));
        assert_eq!(dqn(16, "env.n_envs=1", &[]), Home(Some(15)));
        assert_eq!(dqn(16, "env.n_envs=8", &[]), Home::ANYWHERE);
        assert_eq!(dqn(3, "env.n_envs=8", &[]), Home::ANYWHERE);
        assert_eq!(dqn(1, "env.n_envs=1", &[]), Home::ANYWHERE);
        let perceptron = ["game=CartPole", "agent=dqn", "env.n_envs=1"];
        assert_eq!(homes(2, &perceptron), Homes::Anywhere);
        let asked_not_to = ["learner.own_cores=false"];
        assert_eq!(dqn(2, "env.n_envs=1", &asked_not_to), Home::ANYWHERE);
    }

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
