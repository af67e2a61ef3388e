//! What the tests of all agents see of the probe worlds.

use rlrun_envs::{EnvConfig, Protocol, ProtocolName, StepBatch, World, make};

/// The first observations of a probe's games, \[n, 1, 36, 36\], each `steps` steps into its game.
pub(super) fn observations(probe: &str, n: usize, steps: usize) -> Vec<u8> {
    let config = EnvConfig {
        world: World::resolve(probe).unwrap(),
        protocol: Protocol::named(ProtocolName::Baselines),
        n_envs: n,
        n_threads: 1,
    };
    let mut env = make(&config).unwrap();
    let mut batch = StepBatch::new(env.spec());
    let seeds: Vec<u32> = (500..).take(n).collect();
    env.reset(&seeds, &mut batch).unwrap();
    for _ in 0..steps {
        env.send(&vec![0; n]).unwrap();
        env.recv(&mut batch).unwrap();
    }
    batch.obs
}
