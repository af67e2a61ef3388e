//! `rlrun bench train`: trains for a while without writing anything, and says how fast that was.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{self, BenchTrainArgs};
use crate::plan::{self, Machine, Plan, Threading};
use crate::request::RequestError;
use crate::train::{TimeSplit, setup, with_crew};

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    game: String,
    torso: String,
    n_envs: usize,
    n_groups: usize,
    env_threads: usize,
    learner_threads: usize,
    device: String,
    threading: &'static str,
    seconds_per_repeat: f64,
    /// Agent steps a second, one number a repeat.
    steps_per_s: Vec<f64>,
    median_steps_per_s: f64,
    median_frames_per_s: f64,
    /// Microseconds of the learner's thread per agent step.
    environment_wait_us: f64,
    inference_us: f64,
    copy_us: f64,
    gradient_us: f64,
    apply_us: f64,
    /// Seconds from the plan to the first observations.
    start_up_s: f64,
    peak_memory_mb: Option<f64>,
}

/// Measures what `args` describe and prints a table.
///
/// # Errors
/// If the request is wrong, an actor fails, or the JSON file cannot be written.
pub(crate) fn train(args: &BenchTrainArgs) -> Result<()> {
    if args.seconds == 0 || args.repeats == 0 {
        return Err(RequestError::new("--seconds and --repeats must be at least 1").into());
    }
    let plan = plan::resolve(&args.plan.asked()?, &Machine::detect())?;
    let threading = if args.serial {
        Threading::Serial
    } else {
        Threading::Actors
    };
    let report = measure(&plan, threading, args)?;
    cli::print(&report.table());
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn measure(plan: &Plan, threading: Threading, args: &BenchTrainArgs) -> Result<Report> {
    let start = Instant::now();
    let groups = setup::groups(plan, 0)?;
    let spec = groups[0].env.spec().clone();
    let agent = setup::agent(plan, &spec)?;
    let mut learner = setup::learner(plan, agent, &spec, 0);
    let (own, others) = learner.differentiators();
    with_crew(groups, own, others, threading, |crew| {
        learner.start(crew)?;
        let start_up_s = start.elapsed().as_secs_f64();
        while learner.step() < args.warmup {
            learner.advance(crew)?;
        }
        learner.take_time();
        let length = Duration::from_secs(args.seconds);
        let first_step = learner.step();
        let mut rates = Vec::new();
        for _ in 0..args.repeats {
            let (start, from) = (Instant::now(), learner.step());
            while start.elapsed() < length {
                learner.advance(crew)?;
            }
            rates.push(per_second(learner.step() - from, start.elapsed()));
        }
        let split = learner.take_time();
        Ok(Report::new(
            plan,
            threading,
            rates,
            &split,
            learner.step() - first_step,
            start_up_s,
            length,
        ))
    })
}

impl Report {
    fn new(
        plan: &Plan,
        threading: Threading,
        rates: Vec<f64>,
        split: &TimeSplit,
        steps: u64,
        start_up_s: f64,
        length: Duration,
    ) -> Self {
        let micros = |part: Duration| 1e6 / per_second(steps, part);
        let median = median(&rates);
        Self {
            game: plan.game.clone(),
            torso: plan.torso.kind.to_string(),
            n_envs: plan.env.n_envs,
            n_groups: plan.env.n_groups,
            env_threads: plan.env.env_threads,
            learner_threads: plan.learner.threads,
            device: plan.learner.device.to_string(),
            threading: match threading {
                Threading::Actors => "actors",
                Threading::Serial => "serial",
            },
            seconds_per_repeat: length.as_secs_f64(),
            steps_per_s: rates,
            median_steps_per_s: median,
            median_frames_per_s: 4.0 * median,
            environment_wait_us: micros(split.env_wait),
            inference_us: micros(split.inference),
            copy_us: micros(split.copy),
            gradient_us: micros(split.gradient),
            apply_us: micros(split.apply),
            start_up_s,
            peak_memory_mb: peak_memory_mb(),
        }
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{} a2c-{} on {}: {} environments in {} groups ({}), {} emulator threads a group, {} learner threads\n",
            self.game,
            self.torso,
            self.device,
            self.n_envs,
            self.n_groups,
            self.threading,
            self.env_threads,
            self.learner_threads,
        );
        let rates: Vec<String> = self
            .steps_per_s
            .iter()
            .map(|rate| format!("{rate:.0}"))
            .collect();
        let rows = [
            (
                "steps/s, median",
                format!("{:.0}", self.median_steps_per_s),
                format!(
                    "of {} ({:.0} s each)",
                    rates.join(", "),
                    self.seconds_per_repeat
                ),
            ),
            (
                "frames/s",
                format!("{:.0}", self.median_frames_per_s),
                String::new(),
            ),
            (
                "environment wait",
                format!("{:.0}", self.environment_wait_us),
                "us a step of the learner's thread".into(),
            ),
            (
                "inference",
                format!("{:.0}", self.inference_us),
                "us".into(),
            ),
            ("copies", format!("{:.0}", self.copy_us), "us".into()),
            (
                "update, gradient",
                format!("{:.0}", self.gradient_us),
                "us".into(),
            ),
            (
                "update, apply",
                format!("{:.0}", self.apply_us),
                "us, clipping and optimizer".into(),
            ),
            (
                "start-up",
                format!("{:.2}", self.start_up_s),
                "s to the first observations".into(),
            ),
            (
                "peak memory",
                self.peak_memory_mb
                    .map_or_else(|| "unknown".into(), |mb| format!("{mb:.0}")),
                "MB".into(),
            ),
        ];
        for (name, value, note) in rows {
            let _ = writeln!(text, "  {name:<18}{value:>8}  {note}");
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
fn per_second(steps: u64, time: Duration) -> f64 {
    steps as f64 / time.as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])
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
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert!((median(&[5.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-12);
    }
}
