//! `rlrun bench env`: steps a second of the environments alone.
//!
//! Each actor steps a batch of environments as a training has it, as fast as it goes: the actions are random, nobody looks at
//! the pictures, and no actor waits for another.

use anyhow::{Context, Result};
use rand::RngExt as _;
use rlrun_agents::stream::{Consumer, stream};
use rlrun_envs::StepBatch;
use serde::Serialize;
use toml::Value;

use super::clock::{Clock, Repeats, digits, together};
use super::report::Report;
use super::table::Table;
use crate::cli::BenchEnvArgs;
use crate::plan::{self, Asked, Machine, Plan};
use crate::request::RequestError;
use crate::train::actors::Group;
use crate::train::home::Homes;
use crate::train::retracing::Retracing;
use crate::train::setup::worlds_and;
use crate::train::station::guarded;

/// Wall seconds of a repeat where nothing is said.
const SECONDS: f64 = 2.0;

/// Environments, and who steps them.
#[derive(Debug, Serialize)]
struct Row {
    game: String,
    protocol: String,
    n_envs: usize,
    n_actors: usize,
    /// Emulator threads of each actor.
    env_threads: usize,
    /// Steps of all environments together.
    steps_per_s: Repeats,
    median_frames_per_s: f64,
}

/// Measures and prints.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(args: &BenchEnvArgs) -> Result<()> {
    let machine = Machine::detect();
    let (plans, left_out) = plans(args, &machine)?;
    let clock = Clock::new(&args.measuring, SECONDS);
    let report = Report::open("env", &machine, clock, args.measuring.json.as_deref())?;
    let mut rows = Vec::new();
    for plan in &plans {
        let steps_per_s = step_rates(plan, clock)?;
        rows.push(Row {
            game: plan.game.clone(),
            protocol: plan.protocol.to_string(),
            n_envs: plan.env.n_envs,
            n_actors: plan.env.n_groups,
            env_threads: plan.env.env_threads,
            median_frames_per_s: f64::from(plan.frame_skip()) * steps_per_s.median,
            steps_per_s,
        });
    }
    report.finish(&[table(&rows)], &left_out, &rows)
}

/// Every combination of what was asked for that can be, and a line on those that cannot.
fn plans(args: &BenchEnvArgs, machine: &Machine) -> Result<(Vec<Plan>, Vec<String>), RequestError> {
    let automatic = [0];
    let env_threads = match args.env_threads.as_slice() {
        [] => &automatic,
        asked => asked,
    };
    let (mut plans, mut left_out) = (Vec::new(), Vec::new());
    for game in &args.game {
        for &n_envs in &args.envs {
            for &n_actors in &args.actors {
                for &n_threads in env_threads {
                    let numbers = [n_envs, n_actors, n_threads];
                    match misfit(numbers) {
                        Some(why) => left_out.push(why),
                        None => plans.push(resolve(args, game, numbers, machine)?),
                    }
                }
            }
        }
    }
    left_out.sort();
    left_out.dedup();
    if plans.is_empty() {
        return Err(RequestError::new(left_out.join("\n")));
    }
    Ok((plans, left_out))
}

/// Why environments, actors and emulator threads do not go together.
fn misfit([n_envs, n_actors, n_threads]: [u64; 3]) -> Option<String> {
    if n_envs == 0 || n_actors == 0 {
        return None; // refused with the plan
    }
    if !n_envs.is_multiple_of(n_actors) {
        return Some(format!(
            "left out: {n_envs} environments cannot be shared out evenly over {n_actors} actors"
        ));
    }
    let group = n_envs / n_actors;
    (n_threads > group).then(|| {
        format!(
            "left out: {n_threads} emulator threads for each of {n_actors} actors, which have {group} of {n_envs} \
             environments each"
        )
    })
}

fn resolve(
    args: &BenchEnvArgs,
    game: &str,
    numbers: [u64; 3],
    machine: &Machine,
) -> Result<Plan, RequestError> {
    let word = |text: &str| Value::String(text.to_owned());
    let [n_envs, n_actors, n_threads] =
        numbers.map(|n| Value::Integer(i64::try_from(n).expect("parse_count keeps below 2^63")));
    let mut flags = vec![
        ("--game", "game", word(game)),
        ("--envs", "env.n_envs", n_envs),
        ("--actors", "env.n_groups", n_actors),
        ("--env-threads", "env.env_threads", n_threads),
    ];
    if let Some(protocol) = &args.protocol {
        flags.push(("--protocol", "protocol", word(protocol)));
    }
    let asked = Asked {
        flags,
        ..Asked::default()
    };
    plan::resolve(&asked, machine)
}

/// Steps a second of the environments of `plan`.
fn step_rates(plan: &Plan, clock: Clock) -> Result<Repeats> {
    let mut walk = RandomWalk::start(plan)?;
    let rates = (0..clock.repeats).map(|_| walk.rate(clock));
    Ok(Repeats::new(rates.collect::<Result<_>>()?))
}

/// Environments that take random actions.
pub(super) struct RandomWalk {
    groups: Vec<(Group, StepBatch)>,
}

impl RandomWalk {
    /// The environments of `plan`, a moment after their start.
    ///
    /// # Errors
    /// If they cannot be made or stepped.
    pub(super) fn start(plan: &Plan) -> Result<Self> {
        let (worlds, ()) = worlds_and(plan, &Retracing::default(), Homes::Anywhere, |_| Ok(()))?;
        let groups = worlds.groups.into_iter();
        let groups = groups.map(|(group, standing)| (group, standing.batch));
        let mut started = Self {
            groups: groups.collect(),
        };
        // The first steps fill caches.
        started.rate(Clock::once(0.2))?;
        Ok(started)
    }

    /// Steps a second of all of them.
    ///
    /// # Errors
    /// If they cannot be stepped.
    pub(super) fn rate(&mut self, clock: Clock) -> Result<f64> {
        let groups = self.groups.iter_mut();
        let works = groups.map(|(group, batch)| move || walk(group, batch, clock));
        together("actor", works)
    }
}

/// Steps a second of one group under random actions.
fn walk(group: &mut Group, batch: &mut StepBatch, clock: Clock) -> Result<f64> {
    let Group { number, env } = group;
    let spec = *env.spec();
    let n_actions = u8::try_from(spec.n_actions).context("an action is one byte")?;
    let mut rng = stream(1, Consumer::Action, 0, *number as u64);
    let mut actions = vec![0; spec.n_envs];
    let step = || {
        for action in &mut actions {
            *action = rng.random_range(0..n_actions);
        }
        env.send(&actions)?;
        env.recv(batch)?;
        Ok(spec.n_envs as u64)
    };
    guarded(|| clock.rate(step)).with_context(|| format!("actor {number} failed"))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "environment steps with random actions; threads are emulator threads of each actor",
        &[
            "game",
            "envs",
            "actors",
            "threads",
            "steps/s",
            "frames/s",
            "steps/s from - to",
        ],
    );
    for row in rows {
        table.add([
            format!("{} ({})", row.game, row.protocol),
            row.n_envs.to_string(),
            row.n_actors.to_string(),
            row.env_threads.to_string(),
            digits(row.steps_per_s.median),
            digits(row.median_frames_per_s),
            row.steps_per_s.range(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_left_out_with_its_numbers() {
        assert_eq!(misfit([16, 1, 16]), None);
        assert_eq!(misfit([16, 16, 1]), None);
        let why = misfit([16, 3, 1]).unwrap();
        assert_eq!(
            why,
            "left out: 16 environments cannot be shared out evenly over 3 actors"
        );
        let why = misfit([16, 16, 2]).unwrap();
        assert!(
            why.contains("2 emulator threads for each of 16 actors"),
            "{why}"
        );
    }
}
