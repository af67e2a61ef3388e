//! Building blocks of the tests: configurations and batches.

use rlrun_envs::{BatchEnv, EnvConfig, Protocol, ProtocolName, StepBatch, World, make};

/// The game under the protocol, `n_envs` times, on one emulator thread.
pub(crate) fn config(game: &str, protocol: ProtocolName, n_envs: usize) -> EnvConfig {
    EnvConfig {
        world: World::resolve(game).unwrap(),
        protocol: Protocol::named(protocol),
        n_envs,
        n_threads: 1,
    }
}

/// A batch after its reset, with what the reset gave.
pub(crate) fn start(config: &EnvConfig, seeds: &[u32]) -> (Box<dyn BatchEnv>, StepBatch) {
    let mut env = make(config).unwrap();
    let mut batch = StepBatch::new(env.spec());
    env.reset(seeds, &mut batch).unwrap();
    (env, batch)
}

/// Sends the actions and waits for the step.
pub(crate) fn step(env: &mut dyn BatchEnv, actions: &[u8], batch: &mut StepBatch) {
    env.send(actions).unwrap();
    env.recv(batch).unwrap();
}
