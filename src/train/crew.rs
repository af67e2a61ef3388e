//! The crew of a run: all of its threads and channels are wired here, and joined here.
//!
//! ```text
//!  learner's thread              thread of worker k = 1, 2, ...
//!  worker 0: rollout, gradient   worker k: rollout, gradient
//!  step number                -> bounded(1)
//!  contributions, in order    <- bounded(1)
//! ```
//!
//! Each worker has its own actors. libtorch computes on one thread in each: its own way, all threads on every single
//! operation, waits at the end of each, and its waiting threads spin on cores that the emulators need.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, Scope};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};

use super::actors::{Actors, Group};
use super::worker::{Contribution, Worker};
use crate::plan::Threading;

/// A worker and the groups it works with.
pub(crate) type Team = (Worker, Vec<Group>);

/// Everyone who works for the learner.
pub(crate) struct Crew {
    /// Work on the learner's thread: the first worker, or all of them serially.
    here: Vec<(Worker, Actors)>,
    /// Work on threads of their own.
    elsewhere: Vec<Colleague>,
}

/// The channels of a worker with a thread of its own.
struct Colleague {
    orders: Sender<u64>,
    contributions: Receiver<Result<Contribution>>,
}

/// Runs `drive` with a thread for every team but the first and for every actor, and joins them all before it returns.
///
/// Under [`Threading::Serial`] everything happens on this thread, with the same numbers.
///
/// # Errors
/// Those of `drive`, and a thread that cannot be started.
pub(crate) fn with_crew<T>(
    teams: Vec<Team>,
    threading: Threading,
    drive: impl FnOnce(&mut Crew) -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        tch::set_num_threads(1);
        let mut crew = Crew {
            here: Vec::new(),
            elsewhere: Vec::new(),
        };
        for (number, (worker, groups)) in teams.into_iter().enumerate() {
            let actors = Actors::start(scope, groups, threading)?;
            if number == 0 || threading == Threading::Serial {
                crew.here.push((worker, actors));
            } else {
                let colleague = Colleague::start(scope, number, worker, actors)?;
                crew.elsewhere.push(colleague);
            }
        }
        // All channels go with the crew: that is what ends the threads.
        drive(&mut crew)
    })
}

impl Crew {
    /// Lets every worker do a rollout from step number `step` on, and returns what they add to the update, in their order.
    ///
    /// # Errors
    /// If a worker or an actor failed.
    pub(crate) fn advance(&mut self, step: u64) -> Result<Vec<Contribution>> {
        for colleague in &self.elsewhere {
            // One that has failed no longer listens; its failure is read below.
            let _ = colleague.orders.send(step);
        }
        let mut contributions = Vec::with_capacity(self.here.len() + self.elsewhere.len());
        for (worker, actors) in &mut self.here {
            contributions.push(worker.advance(actors, step)?);
        }
        for colleague in &self.elsewhere {
            let contribution = colleague.contributions.recv().context("a worker is gone")?;
            contributions.push(contribution?);
        }
        Ok(contributions)
    }
}

impl Colleague {
    fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        number: usize,
        mut worker: Worker,
        mut actors: Actors,
    ) -> Result<Self> {
        let (orders, steps) = bounded::<u64>(1);
        let (sender, contributions) = bounded(1);
        let work = move || {
            tch::set_num_threads(1);
            for step in steps {
                let contribution = guarded(|| worker.advance(&mut actors, step));
                let has_failed = contribution.is_err();
                if sender.send(contribution).is_err() || has_failed {
                    break;
                }
            }
        };
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn_scoped(scope, work)
            .context("starting a worker's thread")?;
        Ok(Self {
            orders,
            contributions,
        })
    }
}

/// Runs `work` and turns a panic into an error.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(anyhow!("panicked: {text}"))
    })
}
