//! Training: from a resolved plan to a finished run folder.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`setup`] | plan -> environments, workers, learner |
//! | [`crew`] | all threads and channels, wired and joined |
//! | [`actors`] | step groups of environments |
//! | [`worker`] | drives its groups through a rollout, computes its share of the gradient |
//! | [`learner`] | sums up the shares, updates the agent |
//! | [`games`] | full games and their raw scores |
//! | [`metrics`] | the scalars in TensorBoard |
//! | [`session`] | a run with its folder: logs, checkpoints, stop |
//! | [`restore`] | what a resumed run goes on from |
//! | [`summary`] | what a run came to |

mod actors;
mod crew;
mod games;
mod learner;
mod metrics;
#[cfg(test)]
mod probe_tests;
mod restore;
mod session;
mod setup;
mod summary;
mod worker;

pub(crate) use crew::with_crew;
pub(crate) use learner::LearnerTime;
pub(crate) use session::run;
pub(crate) use setup::{Parts, prepare};
