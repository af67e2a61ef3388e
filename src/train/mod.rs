//! Training: from a resolved plan to a finished run folder.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`setup`] | plan -> environments, agent, learner |
//! | [`actors`] | actor threads and their channels |
//! | [`updaters`] | threads for shares of an update |
//! | [`crew`] | all threads and channels, wired and joined |
//! | [`learner`] | one rollout, one update |
//! | [`games`] | full games and their raw scores |
//! | [`metrics`] | the scalars in TensorBoard |
//! | [`session`] | a run with its folder: logs, checkpoints, stop |

mod actors;
mod crew;
mod games;
mod learner;
mod metrics;
#[cfg(test)]
mod probe_tests;
mod session;
pub(crate) mod setup;
mod updaters;

pub(crate) use crew::with_crew;
pub(crate) use learner::TimeSplit;
pub(crate) use session::run;
