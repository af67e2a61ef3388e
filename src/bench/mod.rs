//! `rlrun bench train`: trains for a while without writing anything, and says how fast that was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{self, BenchTrainArgs};
use crate::plan::{self, Machine, Plan, Threading};
use crate::request::RequestError;
use crate::train::{Start, Training, with_training};

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    game: String,
    agent: String,
    torso: String,
    n_envs: usize,
    n_groups: usize,
    env_threads: usize,
    n_workers: usize,
    device: String,
    threading: &'static str,
    seconds_per_repeat: f64,
    /// Agent steps a second, one number a repeat.
    steps_per_s: Vec<f64>,
    median_steps_per_s: f64,
    median_frames_per_s: f64,
    updates_per_step: f64,
    /// Microseconds of the learner's thread per agent step, by what they were spent on.
    thread_us: BTreeMap<&'static str, f64>,
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
    with_training(plan, &Start::default(), threading, |training, _| {
        let start_up_s = start.elapsed().as_secs_f64();
        while training.step() < args.warmup {
            training.advance()?;
        }
        training.take_time();
        let measured = Measured::take(training, args)?;
        Ok(Report::new(plan, threading, &measured, start_up_s))
    })
}

/// What the clock and the training said.
struct Measured {
    /// Agent steps a second, one number a repeat.
    rates: Vec<f64>,
    steps: u64,
    updates: u64,
    time: Vec<(&'static str, Duration)>,
    length: Duration,
}

impl Measured {
    fn take(training: &mut dyn Training, args: &BenchTrainArgs) -> Result<Self> {
        let length = Duration::from_secs(args.seconds);
        let (first_step, first_update) = (training.step(), training.updates());
        let mut rates = Vec::new();
        for _ in 0..args.repeats {
            let (start, from) = (Instant::now(), training.step());
            while start.elapsed() < length {
                training.advance()?;
            }
            rates.push(per_second(training.step() - from, start.elapsed()));
        }
        Ok(Self {
            rates,
            steps: training.step() - first_step,
            updates: training.updates() - first_update,
            time: training.take_time(),
            length,
        })
    }
}

impl Report {
    fn new(plan: &Plan, threading: Threading, measured: &Measured, start_up_s: f64) -> Self {
        let micros = |part: Duration| 1e6 / per_second(measured.steps, part);
        let median = median(&measured.rates);
        let thread_us = measured
            .time
            .iter()
            .map(|&(name, part)| (name, micros(part)));
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let updates_per_step = measured.updates as f64 / measured.steps as f64;
        Self {
            game: plan.game.clone(),
            agent: plan.agent.kind().to_string(),
            torso: plan.torso.kind.to_string(),
            n_envs: plan.env.n_envs,
            n_groups: plan.env.n_groups,
            env_threads: plan.env.env_threads,
            n_workers: plan.n_workers(),
            device: plan.learner.device.to_string(),
            threading: match threading {
                Threading::Actors => "actors",
                Threading::Serial => "serial",
            },
            seconds_per_repeat: measured.length.as_secs_f64(),
            steps_per_s: measured.rates.clone(),
            median_steps_per_s: median,
            median_frames_per_s: f64::from(plan.frame_skip()) * median,
            updates_per_step,
            thread_us: thread_us.collect(),
            start_up_s,
            peak_memory_mb: peak_memory_mb(),
        }
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{} {}-{} on {}: {} environments in {} groups ({}), {} emulator threads a group, {} workers\n",
            self.game,
            self.agent,
            self.torso,
            self.device,
            self.n_envs,
            self.n_groups,
            self.threading,
            self.env_threads,
            self.n_workers,
        );
        let rates: Vec<String> = self
            .steps_per_s
            .iter()
            .map(|rate| format!("{rate:.0}"))
            .collect();
        let mut rows = vec![
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
                "updates/step",
                format!("{:.4}", self.updates_per_step),
                String::new(),
            ),
        ];
        for (name, micros) in &self.thread_us {
            let note = "us of the learner's thread a step".to_owned();
            rows.push((name, format!("{micros:.0}"), note));
        }
        rows.push((
            "start-up",
            format!("{:.2}", self.start_up_s),
            "s from the plan to the first observations".to_owned(),
        ));
        if let Some(mb) = self.peak_memory_mb {
            rows.push(("peak memory", format!("{mb:.0}"), "MB".to_owned()));
        }
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
