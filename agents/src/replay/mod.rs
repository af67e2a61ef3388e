//! The memory of transitions that an off-policy agent learns from.

mod batch;

pub use batch::ReplayBatch;
