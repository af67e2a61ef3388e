//! Training: from a resolved plan to a finished run folder.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`setup`] | plan -> environments, agent, threads |
//! | [`training`] | what a session drives: an algorithm at work |
//! | [`a2c`], [`dqn`] | the algorithms at work, each with its threads |
//! | [`actors`] | step groups of environments |
//! | [`watchdog`] | tells an actor that takes its time from one that will never answer |
//! | [`collect`] | drives groups through a rollout, whoever chooses the actions |
//! | [`evaluation`] | games played beside the training |
//! | [`station`] | someone who works on orders, with a thread or without |
//! | [`games`] | full games and their raw scores |
//! | [`home`] | which core a thread lives on |
//! | [`logs`] | tables and scalars that grow while a run goes on |
//! | [`hparams`] | a run's row in TensorBoard's HParams tab |
//! | [`metrics`] | the scalars in TensorBoard |
//! | [`entry`] | how a run is entered: a new folder, or one to go on in |
//! | [`best`] | whether the best checkpoint is that of the run as it stands |
//! | [`session`] | a run with its folder: logs, checkpoints, stop |
//! | [`restore`] | what a resumed run goes on from |
//! | [`retracing`] | brings its environments back to where they were |
//! | [`resumption`] | what a checkpoint holds of it beside the agent |
//! | [`summary`] | what a run came to |

mod a2c;
pub(crate) mod actors;
mod best;
mod collect;
pub(crate) mod dqn;
mod entry;
mod evaluation;
mod games;
pub(crate) mod home;
mod hparams;
mod logs;
mod metrics;
pub(crate) mod pool;
#[cfg(test)]
mod probes;
pub(crate) mod restore;
mod resumption;
pub(crate) mod retracing;
mod session;
pub(crate) mod setup;
pub(crate) mod station;
mod summary;
mod training;
mod watchdog;

pub(crate) use entry::run;
pub(crate) use setup::{Start, with_training};
pub(crate) use training::Training;
