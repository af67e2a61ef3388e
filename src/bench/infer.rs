//! `rlrun bench infer`: forward passes of an agent's network, from the bytes of observations to numbers.
//!
//! With several threads each makes passes of its own, which is how workers act in a training.

use anyhow::Result;
use serde::Serialize;

use super::GAME;
use super::agent::{Agent, Net, random_obs, task_of};
use super::clock::{Clock, Repeats, digits, together};
use super::report::Report;
use super::table::Table;
use crate::cli::BenchInferArgs;
use crate::plan::{self, DeviceName, Machine, Plan};
use crate::request::RequestError;

/// Wall seconds of a repeat where nothing is said.
const SECONDS: f64 = 2.0;
/// Most observations of a pass.
const MAX_BATCH: u64 = 4096;

/// Passes of one size on so many threads.
#[derive(Debug, Serialize)]
struct Row {
    agent: String,
    torso: String,
    device: String,
    batch: usize,
    threads: usize,
    /// Forward passes of all threads together.
    passes_per_s: Repeats,
    /// Milliseconds of one pass on its thread, by the median.
    ms_per_pass: f64,
    median_observations_per_s: f64,
    /// 10^9 floating-point operations a second of all threads, by the median.
    gflops_per_s: f64,
}

/// Measures and prints.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(args: &BenchInferArgs) -> Result<()> {
    let machine = Machine::detect();
    let plan = plan::resolve(&args.plan.asked_of(GAME)?, &machine)?;
    if let Some(n) = args.batch.iter().find(|n| !(1..=MAX_BATCH).contains(*n)) {
        return Err(RequestError::new(format!("--batch {n} must be 1 to {MAX_BATCH}")).into());
    }
    let agent = Agent::new(&plan)?;
    let clock = Clock::new(&args.measuring, SECONDS);
    let report = Report::open("infer", &machine, clock, args.measuring.json.as_deref())?;
    let mut rows = Vec::new();
    for &batch in &args.batch {
        for n_threads in thread_counts(&plan) {
            let batch = usize::try_from(batch).expect("checked above");
            rows.push(row(&plan, &agent, batch, n_threads, clock)?);
        }
    }
    report.finish(&[table(&plan, &rows)], &[], &rows)
}

/// One thread, and as many as the plan has. A GPU has one.
fn thread_counts(plan: &Plan) -> Vec<usize> {
    match plan.learner.device {
        DeviceName::Cpu if plan.learner.threads > 1 => vec![1, plan.learner.threads],
        _ => vec![1],
    }
}

fn row(plan: &Plan, agent: &Agent, batch: usize, n_threads: usize, clock: Clock) -> Result<Row> {
    let obs = random_obs(task_of(plan)?, batch);
    let mut nets: Vec<Net> = (0..n_threads).map(|_| agent.net()).collect();
    let rates = (0..clock.repeats).map(|_| pass_rate(&mut nets, &obs, clock));
    let passes_per_s = Repeats::new(rates.collect::<Result<_>>()?);
    let median = passes_per_s.median;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let (n, threads, flops) = (
        batch as f64,
        n_threads as f64,
        agent.flops().forward(batch as u64) as f64,
    );
    Ok(Row {
        agent: plan.agent.kind().to_string(),
        torso: plan.torso.kind.to_string(),
        device: plan.learner.device.to_string(),
        batch,
        threads: n_threads,
        ms_per_pass: 1e3 * threads / median,
        median_observations_per_s: n * median,
        gflops_per_s: flops * median / 1e9,
        passes_per_s,
    })
}

/// Passes a second of all `nets` together, each on a thread of its own.
fn pass_rate(nets: &mut [Net], obs: &[u8], clock: Clock) -> Result<f64> {
    let works = nets.iter_mut().map(|net| {
        move || {
            let mut values = Vec::new();
            net.pass(obs, &mut values);
            clock.rate(|| {
                net.pass(obs, &mut values);
                Ok(1)
            })
        }
    });
    together("infer", works)
}

fn table(plan: &Plan, rows: &[Row]) -> Table {
    let title = format!(
        "forward passes of {}-{} for {} on {}; each thread makes passes of its own",
        plan.agent.kind(),
        plan.torso.kind,
        plan.game,
        plan.learner.device,
    );
    let mut table = Table::new(
        title,
        &[
            "batch",
            "threads",
            "passes/s",
            "ms/pass",
            "observations/s",
            "GFLOP/s",
            "passes/s from - to",
        ],
    );
    for row in rows {
        table.add([
            row.batch.to_string(),
            row.threads.to_string(),
            digits(row.passes_per_s.median),
            digits(row.ms_per_pass),
            digits(row.median_observations_per_s),
            digits(row.gflops_per_s),
            row.passes_per_s.range(),
        ]);
    }
    table
}
