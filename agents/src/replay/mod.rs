//! The memory of transitions that an off-policy agent learns from.
//!
//! ```text
//! one lane per environment, a ring of slots
//!
//!   slot t        frame: the newest frame of o_t      record: a_t, r_t+1, flags of t
//!
//!   ... | t-3 | t-2 | t-1 |  t  | t+1 | ... | head    head: the open slot, its action is still to come
//!                           o_t = frames t-3..=t
//!
//!   life lost at t     t: TERMINATED                                  the stack goes on
//!   game over at t     t: TERMINATED            t+1: FIRST            frames before a first one are black
//!   cut off at t       t   t+1: CUT, the final observation            t+2: FIRST
//! ```
//!
//! Each frame is stored once and stacks are rebuilt when they are sampled, as in Mnih et al. 2015 ("Human-level control
//! through deep reinforcement learning") and Dopamine. The bytes lie in a [`Region`], of which this room does not know
//! whether it is memory or a mapped file. Replay is uniform, or proportional to priorities ([`Prioritization`]).
//!
//! What is in the window stays where it is until [`ReplayShape::slack`] more slots of its lane were written. A
//! checkpoint that vouches for the window can therefore be gone back to, even if the process died later.

mod batch;
mod error;
mod lane;
mod memory;
mod priorities;
mod region;
mod sampling;
mod shape;
mod slots;
mod state;
mod step;
mod sum_tree;
#[cfg(test)]
mod tests;

pub use batch::ReplayBatch;
pub use error::ReplayError;
pub use memory::Replay;
pub use priorities::Prioritization;
pub use region::Region;
pub use shape::ReplayShape;
pub use state::{LaneState, Open, ReplayState};
pub use step::{Ending, Step};
