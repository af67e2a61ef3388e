//! What an update of DQN costs on one thread of this machine: `cargo run --release -p rlrun-agents --example dqn_speed`.
//!
//! With AVX-512 the gradient of the largest layer is made by `apply`, not by `gradient`.
//!
//! Prints the median and the fastest of many calls, in milliseconds. The first number is what a busy machine gives, the
//! second what the code can do.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::time::Instant;

use rlrun_agents::dqn::{Dqn, DqnConfig};
use rlrun_agents::replay::ReplayBatch;
use rlrun_agents::task::Task;
use rlrun_nn::{CoordLayers, TorsoConfig, TorsoKind};
use tch::Device;

const N_CALLS: usize = 40;
const OBS_LEN: usize = 4 * 84 * 84;
const TASK: Task = Task {
    obs_shape: rlrun_nn::ObsShape::Frames([4, 84, 84]),
    n_actions: 9,
    clip_rewards: true,
};

fn main() -> Result<(), Box<dyn Error>> {
    tch::set_num_threads(1);
    let variants = [
        ("conv", TorsoKind::Conv, false, false),
        ("coordconv", TorsoKind::CoordConv, false, false),
        ("conv, double", TorsoKind::Conv, true, false),
        ("conv, dueling", TorsoKind::Conv, false, true),
    ];
    for (name, kind, double, dueling) in variants {
        let config = DqnConfig {
            double,
            dueling,
            learning_rate: 1e-9,
            ..defaults()?
        };
        let torso = TorsoConfig {
            kind,
            coord_layers: CoordLayers::First,
            coord_radius: false,
        };
        report(name, &mut Dqn::new(config, &torso, TASK, Device::Cpu, 1)?)?;
    }
    Ok(())
}

/// The `[dqn]` table of `configs/dqn.toml`.
fn defaults() -> Result<DqnConfig, Box<dyn Error>> {
    let mut tables: toml::Table = toml::from_str(include_str!("../../configs/dqn.toml"))?;
    let table = tables.remove("dqn").ok_or("no table dqn")?;
    Ok(table.try_into()?)
}

fn report(name: &str, agent: &mut Dqn) -> Result<(), Box<dyn Error>> {
    println!("{name}");
    let (mut replica, actor) = (agent.replica(), agent.actor()?);
    let mut q = Vec::new();
    for n in [16, 32] {
        let batch = batch(n);
        time(&format!("gradient, batch {n}"), || {
            drop(replica.gradient(&batch, 0..n));
        });
        time(&format!("  of it one forward pass, batch {n}"), || {
            actor.q_values(&batch.obs_t, &mut q);
        });
    }
    let obs = batch(1).obs_t;
    time("q values of 1 observation", || {
        actor.q_values(&obs, &mut q);
    });
    let batch = batch(2);
    time("apply, with the gradient of 2 transitions", || {
        let gradient = replica.gradient(&batch, 0..2);
        agent.apply(vec![gradient], 0).expect("a finite gradient");
    });
    time("gradient of 2 transitions", || {
        drop(replica.gradient(&batch, 0..2));
    });
    time("target sync", || agent.sync_target());
    time("actor refresh", || actor.refresh());
    Ok(())
}

/// Transitions whose pixels follow no pattern.
fn batch(n: usize) -> ReplayBatch {
    let mut batch = ReplayBatch::new(n, OBS_LEN);
    for (place, pixel) in batch.obs_tm1.iter_mut().enumerate() {
        *pixel = u8::try_from(place * 7919 % 251).unwrap_or(0);
    }
    batch.obs_t.copy_from_slice(&batch.obs_tm1);
    batch.discount_t.fill(0.99);
    batch
}

/// Prints what `call` takes: the median and the fastest.
fn time(what: &str, mut call: impl FnMut()) {
    let mut times: Vec<f64> = (0..N_CALLS + 3)
        .map(|_| {
            let start = Instant::now();
            call();
            1e3 * start.elapsed().as_secs_f64()
        })
        .skip(3)
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "    {what:<44} {:6.2} (fastest {:.2})",
        times[times.len() / 2],
        times[0]
    );
}
