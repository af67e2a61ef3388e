//! `rlrun bench update`: one update as the plan describes it, without environments or a replay memory.
//!
//! As in a training the workers share its gradient out, and the threads of an update the step; of DQN both are these. The step size is zero: the work is the same, and the weights stay what they are.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::RngExt as _;
use rlrun_agents::replay::ReplayBatch;
use rlrun_agents::rollout::Rollout;
use rlrun_agents::stream::{Consumer, stream};
use rlrun_agents::task::Task;
use rlrun_nn::SendBuffer;
use serde::Serialize;

use super::GAME;
use super::agent::{Agent, random_obs, task_of};
use super::clock::{Clock, Repeats, digits};
use super::report::Report;
use super::table::Table;
use crate::cli::BenchUpdateArgs;
use crate::plan::{self, AgentPlan, Machine, Plan, Threading};
use crate::train::dqn::Shares;
use crate::train::pool::UpdatePool;
use crate::train::station::{Place, Station, share};

/// Wall seconds of a repeat where nothing is said.
const SECONDS: f64 = 2.0;

/// An update.
#[derive(Debug, Serialize)]
struct Row {
    agent: String,
    torso: String,
    device: String,
    n_workers: usize,
    /// What it learns from.
    n_transitions: usize,
    /// Milliseconds until the last share of the gradient is there.
    gradient_ms: Repeats,
    /// Milliseconds for summing, clipping and applying.
    apply_ms: Repeats,
    /// Milliseconds of both.
    update_ms: Repeats,
}

/// Mean milliseconds of the parts of an update.
#[derive(Clone, Copy, Debug)]
struct Parts {
    gradient: f64,
    apply: f64,
}

/// Measures and prints.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(args: &BenchUpdateArgs) -> Result<()> {
    let machine = Machine::detect();
    let plan = plan::resolve(&args.plan.asked_of(GAME)?, &machine)?;
    let agent = Agent::new(&plan)?;
    let clock = Clock::new(&args.measuring, SECONDS);
    let report = Report::open("update", &machine, clock, args.measuring.json.as_deref())?;
    let parts = measure(&plan, agent, clock)?;
    let of = |part: fn(&Parts) -> f64| Repeats::new(parts.iter().map(part).collect());
    let row = Row {
        agent: plan.agent.kind().to_string(),
        torso: plan.torso.kind.to_string(),
        device: plan.learner.device.to_string(),
        n_workers: plan.n_workers(),
        n_transitions: n_transitions(&plan),
        gradient_ms: of(|parts| parts.gradient),
        apply_ms: of(|parts| parts.apply),
        update_ms: of(|parts| parts.gradient + parts.apply),
    };
    report.finish(&[table(&plan, &row)], &[], &[row])
}

/// Transitions that an update learns from.
fn n_transitions(plan: &Plan) -> usize {
    match &plan.agent {
        AgentPlan::A2c(config) => plan.env.n_envs * config.rollout_steps,
        AgentPlan::Dqn(config, _) => config.batch_size,
    }
}

fn measure(plan: &Plan, agent: Agent, clock: Clock) -> Result<Vec<Parts>> {
    let (task, n_workers) = (task_of(plan)?, plan.n_workers());
    UpdatePool::with(plan, Threading::Actors, |pool| match (agent, &plan.agent) {
        (Agent::A2c(mut agent), AgentPlan::A2c(config)) => thread::scope(|scope| {
            let group_envs = plan.env.n_envs / plan.env.n_groups;
            let workers = (0..n_workers).map(|number| {
                let n_envs = share(number, n_workers, plan.env.n_groups).len() * group_envs;
                let rollout = rollout(task, config.rollout_steps, n_envs);
                let (mut replica, n_total) = (agent.replica(), n_transitions(plan));
                let place = if number == 0 {
                    Place::Here
                } else {
                    Place::Elsewhere
                };
                let work = move |()| Ok(replica.gradient(&rollout, n_total));
                Station::start(scope, &format!("worker-{number}"), place, work)
            });
            let mut workers = workers.collect::<Result<Vec<_>>>()?;
            let gradients = || {
                for worker in &mut workers {
                    worker.order(());
                }
                workers.iter_mut().map(Station::result).collect()
            };
            repeats(clock, gradients, |shares: Vec<_>| {
                pool.run(|| Ok(agent.apply(shares, 0, plan.total_steps)?))?;
                Ok(())
            })
        }),
        (Agent::Dqn(mut agent), AgentPlan::Dqn(config, _)) => {
            let batch = batch(task, config.batch_size);
            let mut shares = Shares::new(plan, &agent, config);
            repeats(
                clock,
                || pool.run(|| Ok(shares.gradients(&batch))),
                |shares| {
                    pool.run(|| Ok(agent.apply(shares, 0)?))?;
                    Ok(())
                },
            )
        }
        _ => unreachable!("the agent is the plan's"),
    })
}

/// Updates from the gradients of their shares.
///
/// # Errors
/// Those of `gradients` and `apply`.
fn repeats<G>(
    clock: Clock,
    mut gradients: impl FnMut() -> Result<G>,
    mut apply: impl FnMut(G) -> Result<()>,
) -> Result<Vec<Parts>> {
    let mut update = || -> Result<[Duration; 2]> {
        let start = Instant::now();
        let shares = gradients()?;
        let computed = Instant::now();
        apply(shares)?;
        Ok([computed - start, computed.elapsed()])
    };
    // The first ones choose kernels and take memory.
    for _ in 0..3 {
        update()?;
    }
    (0..clock.repeats)
        .map(|_| {
            let (mut times, mut n) = ([Duration::ZERO; 2], 0.0);
            while n < 1.0 || times.iter().sum::<Duration>() < clock.length {
                let [gradient, apply] = update()?;
                times = [times[0] + gradient, times[1] + apply];
                n += 1.0;
            }
            let [gradient, apply] = times.map(|time| 1e3 * time.as_secs_f64() / n);
            Ok(Parts { gradient, apply })
        })
        .collect()
}

/// A rollout with random pictures and actions.
fn rollout(task: Task, n_steps: usize, n_envs: usize) -> Rollout {
    let mut rollout = Rollout::new(n_steps, n_envs, task.obs_shape.n_bytes());
    rollout.obs = random_obs(task, rollout.n_transitions());
    rollout.action = actions(task, rollout.n_transitions());
    rollout
}

/// A batch with random pictures and actions.
fn batch(task: Task, n: usize) -> ReplayBatch {
    let obs: SendBuffer = random_obs(task, n).into();
    ReplayBatch {
        obs_tm1: obs.clone(),
        obs_t: obs,
        action_tm1: actions(task, n),
        ..ReplayBatch::new(n, task.obs_shape.n_bytes())
    }
}

fn actions(task: Task, n: usize) -> Vec<i64> {
    let mut rng = stream(1, Consumer::Action, 0, 0);
    (0..n)
        .map(|_| rng.random_range(0..task.n_actions))
        .collect()
}

fn table(plan: &Plan, row: &Row) -> Table {
    let title = format!(
        "an update of {}-{} for {} on {}: {} transitions, {} workers",
        row.agent, row.torso, plan.game, row.device, row.n_transitions, row.n_workers
    );
    let mut table = Table::new(title, &["part", "ms", "ms from - to"]);
    for (name, repeats) in [
        ("gradient", &row.gradient_ms),
        ("apply", &row.apply_ms),
        ("update", &row.update_ms),
    ] {
        table.add([name.to_owned(), digits(repeats.median), repeats.range()]);
    }
    table
}
