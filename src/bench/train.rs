//! `rlrun bench train`: trains for a while without writing anything, and says how fast that was, what the machine could do at
//! most, and where the time went.
//!
//! DQN is measured as it is in a long run: updates from the first steps on, and exploration at its final value.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::clock::{Clock, Repeats, digits, per_second};
use super::cores::cores_of;
use super::limit::Limit;
use super::report::Report;
use super::table::Table;
use super::threads::{Snapshot, ThreadUse};
use crate::cli::BenchTrainArgs;
use crate::config::grouped;
use crate::plan::{self, AgentPlan, Machine, Plan, Threading, memory_bytes};
use crate::train::{Start, Training, with_training};

/// Wall seconds of a repeat where nothing is said.
const SECONDS: f64 = 20.0;
/// Most wall seconds of a repeat of what the limit is made of.
const LIMIT_SECONDS: f64 = 2.0;

/// What was measured.
#[derive(Debug, Serialize)]
struct Row {
    game: String,
    agent: String,
    torso: String,
    n_envs: usize,
    n_groups: usize,
    env_threads: usize,
    n_workers: usize,
    device: String,
    threading: &'static str,
    steps_per_s: Repeats,
    median_frames_per_s: f64,
    updates_per_step: f64,
    limit: Limit,
    /// The median over the limit.
    achieved: f64,
    /// Cores that the training had, on average; others may have used the rest.
    cores_had: f64,
    /// Where the time of the learner's thread went.
    parts: Vec<Part>,
    threads: Vec<ThreadUse>,
    /// Seconds from the plan to the first observations.
    start_up_s: f64,
    /// The largest resident set, in 10^6 bytes.
    peak_memory_mb: Option<f64>,
}

/// A part of a step, on the learner's thread.
#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    us_per_step: f64,
    /// Of the wall time.
    share: f64,
}

/// Measures and prints.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(args: &BenchTrainArgs) -> Result<()> {
    let machine = Machine::detect();
    let mut plan = plan::resolve(&args.plan.asked()?, &machine)?;
    let mut notes: Vec<String> = as_in_a_long_run(&mut plan).into_iter().collect();
    let clock = Clock::new(&args.measuring, SECONDS);
    let report = Report::open("train", &machine, clock, args.measuring.json.as_deref())?;
    let threading = if args.serial {
        Threading::Serial
    } else {
        Threading::Actors
    };
    let measured = Measured::take(&plan, threading, args.warmup, clock)?;
    // The limit would count as well.
    let peak_memory_mb = peak_memory_mb();
    let limit = Limit::measure(&plan, &machine, clock.at_most(LIMIT_SECONDS))?;
    notes.insert(0, limit.in_words(&plan));
    let row = row(&plan, threading, measured, limit, peak_memory_mb);
    let tables = [speed(&row), parts(&row), threads(&row)];
    let n_tables = if row.threads.is_empty() { 2 } else { 3 };
    report.finish(&tables[..n_tables], &notes, &[row])
}

/// Lets DQN begin where a long run is after its first hundred thousands of steps, and says so.
fn as_in_a_long_run(plan: &mut Plan) -> Option<String> {
    let memory_mb = memory_bytes(&plan.agent, plan.env.n_envs) / 1_000_000;
    let AgentPlan::Dqn(config, _) = &mut plan.agent else {
        return None;
    };
    config.learning_starts_steps = 0;
    config.epsilon_start = config.epsilon_end;
    Some(format!(
        "dqn as in a long run: updates from the first steps on, and epsilon at its final value of {}. The replay memory is \
         not full yet:\nwith {} transitions the run takes about {} MB.",
        config.epsilon_end,
        grouped(config.replay_capacity as u64),
        grouped(memory_mb),
    ))
}

/// What the clock, the training and the system said.
struct Measured {
    steps_per_s: Repeats,
    steps: u64,
    updates: u64,
    wall: Duration,
    cores_had: f64,
    time: Vec<(&'static str, Duration)>,
    threads: Vec<ThreadUse>,
    start_up: Duration,
}

impl Measured {
    fn take(plan: &Plan, threading: Threading, warmup: u64, clock: Clock) -> Result<Self> {
        let begin = Instant::now();
        with_training(plan, &Start::default(), threading, |training, _| {
            let start_up = begin.elapsed();
            while training.step() < warmup {
                training.advance()?;
            }
            Self::of(training, clock, start_up)
        })
    }

    fn of(training: &mut dyn Training, clock: Clock, start_up: Duration) -> Result<Self> {
        training.take_time();
        let (first_step, first_update) = (training.step(), training.updates());
        let (before, start) = (Snapshot::take(), Instant::now());
        let repeats = || {
            clock.rates(|| {
                let from = training.step();
                training.advance()?;
                Ok(training.step() - from)
            })
        };
        let (steps_per_s, cores_had) = cores_of(repeats)?;
        let wall = start.elapsed();
        Ok(Self {
            steps_per_s,
            steps: training.step() - first_step,
            updates: training.updates() - first_update,
            wall,
            cores_had,
            time: training.take_time(),
            threads: before.until(&Snapshot::take()),
            start_up,
        })
    }

    /// Where each microsecond of a step went; what no part accounts for is the rest.
    fn parts(&self) -> Vec<Part> {
        let named: Duration = self.time.iter().map(|(_, part)| *part).sum();
        let rest = ("rest", self.wall.saturating_sub(named));
        let parts = self.time.iter().copied().chain([rest]);
        parts
            .map(|(name, part)| Part {
                name,
                us_per_step: 1e6 / per_second(self.steps, part),
                share: part.as_secs_f64() / self.wall.as_secs_f64(),
            })
            .collect()
    }
}

fn row(
    plan: &Plan,
    threading: Threading,
    measured: Measured,
    limit: Limit,
    peak_memory_mb: Option<f64>,
) -> Row {
    let median = measured.steps_per_s.median;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let updates_per_step = measured.updates as f64 / measured.steps as f64;
    Row {
        game: plan.game.clone(),
        agent: plan.agent.kind().to_string(),
        torso: plan.torso.kind.to_string(),
        n_envs: plan.env.n_envs,
        n_groups: plan.env.n_groups,
        env_threads: plan.env.env_threads,
        n_workers: plan.n_workers(),
        device: plan.learner.device.to_string(),
        threading: match threading {
            Threading::Actors | Threading::ActorsOnSharedCores => "actors",
            Threading::Serial => "serial",
        },
        median_frames_per_s: f64::from(plan.frame_skip()) * median,
        updates_per_step,
        achieved: median / limit.steps_per_s,
        limit,
        cores_had: measured.cores_had,
        parts: measured.parts(),
        steps_per_s: measured.steps_per_s,
        threads: measured.threads,
        start_up_s: measured.start_up.as_secs_f64(),
        peak_memory_mb,
    }
}

fn speed(row: &Row) -> Table {
    let title = format!(
        "{} {}-{} on {}: {} environments in {} groups ({}), {} emulator threads a group, {} workers",
        row.game,
        row.agent,
        row.torso,
        row.device,
        row.n_envs,
        row.n_groups,
        row.threading,
        row.env_threads,
        row.n_workers,
    );
    let mut table = Table::new(title, &["", "median", "from - to"]);
    let mut add = |name: &str, value: String, range: String| {
        table.add([name.to_owned(), value, range]);
    };
    let alone = String::new;
    add(
        "steps/s",
        digits(row.steps_per_s.median),
        row.steps_per_s.range(),
    );
    add("frames/s", digits(row.median_frames_per_s), alone());
    add("limit, steps/s", digits(row.limit.steps_per_s), alone());
    add("achieved", percent(row.achieved), alone());
    add("cores it had", digits(row.cores_had), alone());
    add("updates/step", digits(row.updates_per_step), alone());
    add("start-up, s", digits(row.start_up_s), alone());
    if let Some(mb) = row.peak_memory_mb {
        add("peak memory, MB", digits(mb), alone());
    }
    table
}

fn parts(row: &Row) -> Table {
    let title = "where a step's time went, on the learner's thread; nothing is logged here";
    let mut table = Table::new(title, &["part", "us/step", "share"]);
    for part in &row.parts {
        table.add([
            part.name.to_owned(),
            digits(part.us_per_step),
            percent(part.share),
        ]);
    }
    table
}

fn threads(row: &Row) -> Table {
    let title =
        "what each thread did; one that wants a core has work and waits for others to let it run";
    let mut table = Table::new(
        title,
        &["thread", "threads", "on a core", "wants one", "idle"],
    );
    for one in &row.threads {
        table.add([
            one.name.clone(),
            one.n_threads.to_string(),
            percent(one.on_core),
            percent(one.wants_core),
            percent(one.idle),
        ]);
    }
    table
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The largest resident set of this process so far, in 10^6 bytes; none where the system does not say.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_step_and_the_rest_make_up_its_wall_time() {
        let measured = Measured {
            steps_per_s: Repeats::new(vec![100.0]),
            steps: 100,
            updates: 25,
            wall: Duration::from_secs(1),
            cores_had: 1.0,
            time: vec![
                ("gradient", Duration::from_millis(500)),
                ("apply", Duration::from_millis(200)),
            ],
            threads: Vec::new(),
            start_up: Duration::ZERO,
        };
        let parts = measured.parts();
        let names: Vec<_> = parts.iter().map(|part| part.name).collect();
        assert_eq!(names, ["gradient", "apply", "rest"]);
        assert!((parts[0].us_per_step - 5000.0).abs() < 1e-6);
        assert!((parts[2].share - 0.3).abs() < 1e-9);
    }

    #[test]
    fn dqn_is_measured_with_its_final_exploration_and_says_so() {
        let asked = plan::Asked {
            sets: ["game=\"Pong\"", "agent=\"dqn\"", "dqn.epsilon_end=0.02"]
                .map(str::to_owned)
                .into(),
            ..plan::Asked::default()
        };
        let machine = Machine {
            cores: 2,
            available_bytes: None,
            cuda_devices: 0,
            multiplies_bf16: false,
        };
        let mut plan = plan::resolve(&asked, &machine).unwrap();
        let note = as_in_a_long_run(&mut plan).unwrap();
        assert!(note.contains("final value of 0.02"), "{note}");
        let AgentPlan::Dqn(config, _) = &plan.agent else {
            unreachable!("dqn was asked for")
        };
        assert_eq!(config.learning_starts_steps, 0);
        assert!((config.epsilon_at(0) - 0.02).abs() < 1e-12);
    }
}
