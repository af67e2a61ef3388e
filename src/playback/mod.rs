//! The games of a training, after they were played: `rlrun episodes` lists them, `rlrun replay` shows one again.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`played`] | a run folder's games, and which of them can be replayed |
//! | [`episodes`] | the list |

mod episodes;
mod played;

pub(crate) use episodes::episodes;
