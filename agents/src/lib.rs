//! The learning algorithms of `rlrun`, one folder per paper, and the parts they share.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`a2c`] | synchronous advantage actor-critic: the agent, its configuration, its loss |
//! | [`dqn`] | deep Q-networks, with Double, Dueling, n-step and Prioritized replay as switches |
//! | [`returns`] | n-step returns over a rollout |
//! | [`rollout`] | what one rollout of a batch of environments is made of |
//! | [`replay`] | the memory of transitions that an off-policy agent learns from |
//! | [`task`] | sizes of observations and actions |
//! | [`policy`] | actions drawn from logits |
//! | [`stream`] | one random stream per consumer, derived by key |
//!
//! An agent turns observations into actions and rollouts or replayed transitions into updates. It knows no thread, no file and no Python;
//! whoever drives it owns those.

pub mod a2c;
pub mod dqn;
pub mod policy;
pub mod replay;
pub mod returns;
pub mod rollout;
pub mod stream;
pub mod task;
