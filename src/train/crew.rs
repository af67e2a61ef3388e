//! The crew of a run: all of its threads and channels are wired here, and joined here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use anyhow::{Result, anyhow};
use rlrun_agents::a2c::Differentiator;

use super::actors::{Actors, Group};
use super::updaters::Updaters;
use crate::plan::Threading;

/// Everyone who works for the learner.
pub(crate) struct Crew {
    /// Step environments.
    pub(crate) actors: Actors,
    /// Compute gradients.
    pub(crate) updaters: Updaters,
}

/// Runs `drive` with an actor for each group and an updater for each of the `others`, and joins them all before it returns.
///
/// Under [`Threading::Serial`] everything happens on this thread, with the same numbers.
///
/// # Errors
/// Those of `drive`, and a thread that cannot be started.
pub(crate) fn with_crew<T>(
    groups: Vec<Group>,
    own: Differentiator,
    others: Vec<Differentiator>,
    threading: Threading,
    drive: impl FnOnce(&mut Crew) -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        // libtorch's own threads are not used: updates are shared out over updaters instead.
        tch::set_num_threads(1);
        let mut crew = Crew {
            actors: Actors::start(scope, groups, threading)?,
            updaters: Updaters::start(scope, own, others, threading)?,
        };
        // All channels go with the crew: that is what ends the threads.
        drive(&mut crew)
    })
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
