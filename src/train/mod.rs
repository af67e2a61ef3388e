//! Training: from a resolved plan to a finished run folder.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`setup`] | plan -> environments, agent, threads |
//! | [`training`] | what a session drives: an algorithm at work |
//! | [`a2c`], [`dqn`] | the algorithms at work, each with its threads |
//! | [`actors`] | step groups of environments |
//! | [`collect`] | drives groups through a rollout, whoever chooses the actions |
//! | [`evaluation`] | games played beside the training |
//! | [`station`] | someone who works on orders, with a thread or without |
//! | [`games`] | full games and their raw scores |
//! | [`home`] | which core a thread lives on |
//! | [`logs`] | tables and scalars that grow while a run goes on |
//! | [`hparams`] | a run's row in TensorBoard's HParams tab |
//! | [`metrics`] | the scalars in TensorBoard |
//! | [`entry`] | how a run is entered: a new folder, or one to go on in |
//! | [`session`] | a run with its folder: logs, checkpoints, stop |
//! | [`restore`] | what a resumed run goes on from |
//! | [`resumption`] | what a checkpoint holds of it beside the agent |
//! | [`summary`] | what a run came to |

mod a2c;
pub(crate) mod actors;
mod collect;
mod dqn;
mod entry;
mod evaluation;
mod games;
pub(crate) mod home;
mod hparams;
mod logs;
mod metrics;
#[cfg(test)]
mod probes;
mod restore;
mod resumption;
mod session;
pub(crate) mod setup;
pub(crate) mod station;
mod summary;
mod training;

pub(crate) use entry::run;
pub(crate) use setup::{Start, with_training};
pub(crate) use training::Training;
