//! The games of a training, after they were played: `rlrun episodes` lists them, `rlrun replay` shows one again.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`played`] | a run folder's games, and which of them can be replayed |
//! | [`mod@episodes`] | the list |
//! | [`mod@replay`] | which game is shown, and whether it was the recorded one |
//! | [`film`] | plays a game and films it |
//! | [`onlooker`] | what the network sees and thinks meanwhile |

mod episodes;
mod film;
mod onlooker;
mod played;
mod replay;

pub(crate) use episodes::episodes;
pub(crate) use replay::replay;
