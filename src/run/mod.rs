//! The run folder: everything a training run leaves behind, and what it needs to go on after a kill.
//!
//! ```text
//! runs/<game>/<agent>-<torso>/seed<k>-<time>/
//!   plan.toml                    the resolved plan: everything that decides the numbers
//!   versions.json                the versions of all that took part
//!   lock                         held by the process that writes here; its pid stands inside
//!   episodes.csv                 one row per finished game
//!   evaluations.csv              one row per game of an evaluation
//!   events.out.tfevents.*        the scalars, for TensorBoard; one file per start of the run
//!   checkpoints/step-*.safetensors   the last K, newest valid one wins
//!   checkpoints/best.safetensors     the first one saved after the best mean score so far
//!   recorder.bin                 the flight recorder: what every environment did, by which any game can be watched again
//!   replay.bin                   the replay memory of an off-policy agent; checkpoints vouch for what is in it
//!   summary.json                 written when the run has reached its end
//! ```
//!
//! Two rules hold here. What a resume depends on is written whole or not at all ([`atomic`]). What is only a log
//! ([`append`]) never ends a run: it warns once, keeps what it could not write, and tries again.

#[cfg(test)]
mod alone;
pub(crate) mod append;
pub(crate) mod atomic;
pub(crate) mod checkpoint;
pub(crate) mod checkpoint_meta;
pub(crate) mod checkpoint_store;
pub(crate) mod clock;
pub(crate) mod episode_stats;
pub(crate) mod episodes;
pub(crate) mod event_records;
pub(crate) mod folder;
pub(crate) mod hparams;
pub(crate) mod lock;
pub(crate) mod progress;
pub(crate) mod rate;
pub(crate) mod recorder;
pub(crate) mod replay_file;
pub(crate) mod rows;
pub(crate) mod scalars;
pub(crate) mod screen;
pub(crate) mod stop;
pub(crate) mod table;
#[cfg(test)]
pub(crate) mod trials;
