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

use std::thread;

use anyhow::Result;

use super::worker::{Contribution, Worker};
use crate::plan::{Plan, Threading};
use crate::train::actors::{Actors, Footing, Group};
use crate::train::home::{Homes, Visit};
use crate::train::station::{Place, Station};

/// A worker and the groups it works with.
pub(crate) type Team = (Worker, Vec<Group>);

/// Everyone who works for the learner; the first on its own thread.
pub(crate) struct Crew<'scope> {
    workers: Vec<Station<'scope, u64, Contribution>>,
}

/// Runs `drive` with a thread for every team but the first and for every actor, and joins them all before it returns, but for an
/// actor that does not answer.
///
/// Under [`Threading::Serial`] everything happens on this thread, with the same numbers.
///
/// # Errors
/// Those of `drive`, and a thread that cannot be started.
pub(crate) fn with_crew<T>(
    plan: &Plan,
    teams: Vec<Team>,
    threading: Threading,
    homes: Homes,
    drive: impl FnOnce(Crew<'_>) -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for (number, (mut worker, groups)) in teams.into_iter().enumerate() {
            let home = homes.of_worker(number);
            let footing = Footing::new(plan, threading, home);
            let mut actors = Actors::start("actor", groups, footing)?;
            let place = match threading {
                Threading::Actors | Threading::ActorsOnSharedCores if number > 0 => {
                    Place::Elsewhere
                }
                _ => Place::Here,
            };
            let work = move |step| {
                let _visit = Visit::at(home);
                worker.advance(&mut actors, step)
            };
            workers.push(Station::start(
                scope,
                &format!("worker-{number}"),
                place,
                work,
            )?);
        }
        // All channels go with the crew: that is what ends the threads.
        drive(Crew { workers })
    })
}

impl Crew<'_> {
    /// Lets every worker do a rollout from step number `step` on, and returns what they add to the update, in their order.
    ///
    /// # Errors
    /// If a worker or an actor failed.
    pub(crate) fn advance(&mut self, step: u64) -> Result<Vec<Contribution>> {
        for worker in &mut self.workers {
            worker.order(step);
        }
        self.workers.iter_mut().map(Station::result).collect()
    }
}
