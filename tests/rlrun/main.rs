//! End-to-end tests of the binary, one module for each thing a user does. One test binary: each one links libtorch.

mod bench;
mod classic;
mod cli;
mod cuda;
mod dqn;
mod eval;
mod exact;
mod faults;
mod play;
mod program;
mod recorder;
mod report;
mod resume;
mod sweep;
mod tensorboard;
mod toy;
mod train;
