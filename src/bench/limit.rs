//! What the machine could do at most: the time that a step must take, whatever the program around it.
//!
//! ```text
//! on a CPU    seconds of a step = E + F / M     environments and network share the cores
//! on a GPU    seconds of a step = max(E, F / M) each has what it needs
//!
//! E   1 / steps a second of the environments alone, with random actions and every core at work
//! M   floating-point operations a second of a matrix product in the plan's precision, on every core at once, or on the GPU
//! F   floating-point operations of the network for one step:
//!     a2c   forward to act, forward / rollout_steps to bootstrap, forward + backward to learn
//!     dqn   (1 - epsilon) forward to act; batch_size (target's forward + forward + backward) / steps_per_update to learn,
//!           with double another forward
//! ```
//!
//! Rates of cores are those of a machine that nobody else uses: what was measured, over the core-seconds that it took, times the
//! cores ([`super::cores`]).
//!
//! Operations are counted as in [`rlrun_nn::Flops`]. Left out, and so in favour of the limit: the optimizer, the loss, all
//! copies, the replay memory, and that no convolution runs as fast as a large product. Against it: that the network's kernels make convolutions in half
//! the multiplications where there is AVX-512 (Winograd's minimal filtering), which are counted in full.

use anyhow::Result;
use rlrun_nn::Flops;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::agent::Agent;
use super::clock::{Clock, Repeats, digits, together};
use super::cores::rate_on_all;
use super::env::RandomWalk;
use crate::plan::{AgentPlan, DeviceName, EnvPlan, Machine, Plan};
use crate::train::station::share;

/// Rows and columns of the matrices: large enough for full speed, small enough for many products a second.
const MATRIX_SIZE: i64 = 1024;
/// The same on a GPU.
const GPU_MATRIX_SIZE: i64 = 8192;

/// The limit, and what it is made of.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Limit {
    /// Steps a second, at most.
    pub(super) steps_per_s: f64,
    /// Which environments were stepped, and how.
    pub(super) env: EnvPlan,
    /// Their steps a second.
    pub(super) env_steps_per_s: Repeats,
    /// 10^9 floating-point operations a second of matrix products.
    pub(super) matrix_gflops_per_s: Repeats,
    /// 10^6 floating-point operations of the network for a step.
    pub(super) network_mflop_per_step: f64,
    /// Microseconds of a step that the environments need.
    pub(super) env_us: f64,
    /// Microseconds of a step that the network needs.
    pub(super) network_us: f64,
}

impl Limit {
    /// Measures the limit of a training that `plan` describes.
    ///
    /// # Errors
    /// If the environments cannot be made or stepped.
    pub(super) fn measure(plan: &Plan, machine: &Machine, clock: Clock) -> Result<Self> {
        let widest = widest(plan, machine);
        let mut walk = RandomWalk::start(&widest)?;
        let rates = (0..clock.repeats).map(|_| rate_on_all(machine.cores, || walk.rate(clock)));
        let env_steps_per_s = Repeats::new(rates.collect::<Result<_>>()?);
        let (device, kind) = (plan.learner.device, plan.learner.precision.kind());
        let rates = (0..clock.repeats).map(|_| match device {
            DeviceName::Cpu => rate_on_all(machine.cores, || cpu_rate(machine.cores, kind, clock)),
            DeviceName::Cuda(index) => gpu_rate(index, kind, clock),
        });
        let matrix_gflops_per_s = Repeats::new(rates.collect::<Result<_>>()?);
        let flops = flops_per_step(plan, Agent::new(plan)?.flops());
        let env_us = 1e6 / env_steps_per_s.median;
        let network_us = flops / (1e3 * matrix_gflops_per_s.median);
        Ok(Self {
            steps_per_s: 1e6 / step_us(device, env_us, network_us),
            env: widest.env,
            env_steps_per_s,
            matrix_gflops_per_s,
            network_mflop_per_step: flops / 1e6,
            env_us,
            network_us,
        })
    }

    /// The model and its numbers in a few lines.
    pub(super) fn in_words(&self, plan: &Plan) -> String {
        let how = match plan.learner.device {
            DeviceName::Cpu => "E + F/M, as both need the same cores",
            DeviceName::Cuda(_) => "the longer of E and F/M",
        };
        format!(
            "limit: a step takes {how}. E = {} us: {} steps/s of {} environments alone.\n\
             F/M = {} us: {} MFLOP of the network a step, at {} GFLOP/s of matrix products on {}.\n\
             What cores do is measured per core-second and counted for all of them, as if no other program ran.\n\
             Left out: optimizer, loss, copies, that convolutions are slower than large products, and that\n\
             minimal filtering, on CPUs with AVX-512, makes them in half the multiplications.",
            digits(self.env_us),
            digits(self.env_steps_per_s.median),
            self.env.n_envs,
            digits(self.network_us),
            digits(self.network_mflop_per_step),
            digits(self.matrix_gflops_per_s.median),
            match plan.learner.device {
                DeviceName::Cpu => "all cores".to_owned(),
                device @ DeviceName::Cuda(_) => device.to_string(),
            },
        )
    }
}

/// Microseconds of a step, of what its parts need.
fn step_us(device: DeviceName, env_us: f64, network_us: f64) -> f64 {
    match device {
        DeviceName::Cpu => env_us + network_us,
        DeviceName::Cuda(_) => env_us.max(network_us),
    }
}

/// The plan with its environments rounded up to a multiple of the cores, and an actor and emulator thread for each core.
fn widest(plan: &Plan, machine: &Machine) -> Plan {
    let cores = machine.cores;
    let env = EnvPlan {
        n_envs: plan.env.n_envs.next_multiple_of(cores),
        n_groups: cores,
        env_threads: 1,
        reseed_steps: plan.env.reseed_steps,
    };
    Plan {
        env,
        ..plan.clone()
    }
}

/// Floating-point operations of the network for one step of a training: F.
fn flops_per_step(plan: &Plan, network: Flops) -> f64 {
    let n_workers = plan.n_workers();
    let acting = plan.env.n_envs / plan.env.n_groups;
    let forward = float(network.forward(acting as u64)) / float(acting as u64);
    // Of all workers together: each takes the coordinates' operations once. Counted so for DQN, too, whose workers may share one pass.
    let learning = |n_rows: usize, n_forwards: u64| -> f64 {
        let shares = (0..n_workers).map(|number| share(number, n_workers, n_rows).len() as u64);
        let flops = shares.map(|n| n_forwards * network.forward(n) + network.backward(n));
        float(flops.sum())
    };
    match &plan.agent {
        AgentPlan::A2c(config) => {
            let n_rows = config.rollout_steps * plan.env.n_envs;
            forward * (1.0 + 1.0 / float(config.rollout_steps as u64))
                + learning(n_rows, 1) / float(n_rows as u64)
        }
        AgentPlan::Dqn(config, _) => {
            let n_forwards = if config.double { 3 } else { 2 };
            forward * (1.0 - config.epsilon_end)
                + learning(config.batch_size, n_forwards) / float(config.steps_per_update)
        }
    }
}

/// 10^9 floating-point operations a second of matrix products, one after the other on each of so many threads.
fn cpu_rate(n_threads: usize, kind: Kind, clock: Clock) -> Result<f64> {
    let products = || {
        let [a, b] = [MATRIX_SIZE; 2].map(|size| matrix(size, kind, Device::Cpu));
        let product = || {
            let _ = a.matmul(&b);
            Ok(1)
        };
        product()?;
        clock.rate(product)
    };
    let products_per_s = together("product", (0..n_threads).map(|_| products))?;
    Ok(gflops(MATRIX_SIZE, products_per_s))
}

/// The same on a GPU.
fn gpu_rate(index: usize, kind: Kind, clock: Clock) -> Result<f64> {
    let device = Device::Cuda(index);
    let (a, b) = (
        matrix(GPU_MATRIX_SIZE, kind, device),
        matrix(GPU_MATRIX_SIZE, kind, device),
    );
    let product = || {
        // One number is read back, which waits for the product.
        let _ = a.matmul(&b).double_value(&[0, 0]);
        Ok(1)
    };
    product()?;
    Ok(gflops(GPU_MATRIX_SIZE, clock.rate(product)?))
}

/// Numbers from 0 to 1.
fn matrix(size: i64, kind: Kind, device: Device) -> Tensor {
    let row = Tensor::linspace(0.0, 1.0, size, (Kind::Float, device)); // [n]
    (row.view([size, 1]) * row).to_kind(kind) // [n, n]
}

/// Of so many products a second.
#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn gflops(size: i64, products_per_s: f64) -> f64 {
    2.0 * (size as f64).powi(3) * products_per_s / 1e9
}

#[expect(
    clippy::cast_precision_loss,
    reason = "operations of a batch are far below 2^52"
)]
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::agent::Agent;
    use crate::plan::{self, Asked};

    const MACHINE: Machine = Machine {
        cores: 3,
        available_bytes: None,
        cuda_devices: 0,
        multiplies_bf16: false,
    };

    fn plan(sets: &[&str]) -> Plan {
        let sets = sets.iter().map(|&set| set.to_owned()).collect();
        let asked = Asked {
            sets,
            ..Asked::default()
        };
        plan::resolve(&asked, &MACHINE).unwrap()
    }

    fn check(sets: &[&str], expected_mflop: f64) {
        let plan = plan(&[&["game=\"Pong\"", "learner.threads=1"], sets].concat());
        let flops = Agent::new(&plan).unwrap().flops();
        let got = flops_per_step(&plan, flops) / 1e6;
        assert!(
            (got - expected_mflop).abs() < 0.01 * expected_mflop,
            "{sets:?}: {got}"
        );
    }

    /// The Nature network: 18.69 MFLOP forward, 30.82 backward.
    #[test]
    fn a_step_takes_the_operations_of_its_algorithm() {
        check(&["agent=\"a2c\""], 1.2 * 18.69 + 18.69 + 30.82);
        check(
            &["agent=\"dqn\""],
            0.99 * 18.69 + 8.0 * (2.0 * 18.69 + 30.82),
        );
        let double = [
            "agent=\"dqn\"",
            "dqn.double=true",
            "dqn.epsilon_end=1",
            "dqn.batch_size=4",
        ];
        check(&double, 3.0 * 18.69 + 30.82);
    }

    #[test]
    fn environments_are_spread_over_all_cores() {
        let widest = widest(&plan(&["game=\"Pong\""]), &MACHINE);
        assert_eq!((widest.env.n_envs, widest.env.n_groups), (18, 3));
    }

    #[test]
    fn a_gpu_works_beside_the_environments_and_a_cpu_in_turn() {
        assert!((step_us(DeviceName::Cpu, 3.0, 4.0) - 7.0).abs() < 1e-12);
        assert!((step_us(DeviceName::Cuda(0), 3.0, 4.0) - 4.0).abs() < 1e-12);
    }
}
