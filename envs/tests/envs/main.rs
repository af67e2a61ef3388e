//! Tests of the environments from outside: one binary for all.
#![expect(
    clippy::unwrap_used,
    reason = "clippy's allowance for tests does not reach the functions they share"
)]

mod atari;
#[cfg(feature = "classic")]
mod classic;
mod colour;
mod kit;
#[cfg(not(feature = "classic"))]
mod no_classic;
mod probe;
mod python;
mod recorded;
mod scripted_player;
mod setup;
