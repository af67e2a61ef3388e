//! The tables and pictures of a sweep.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rlrun_toys::pictures::{
    Curve, CurvesSpec, Net, RunPoint, ScatterSpec, XAxis, generalisation, learning_curves,
};
use rlrun_toys::task::{NetKind, Task};

use super::gallery::write_picture;
use super::grid::GridRun;
use super::verdict::{Milestone, ToySummary};
use crate::run::atomic::write_whole;

/// Only trainings that end with this test metric or better are in the curves, as in the paper's Figs 4 and 6.
const CURVE_LEVEL: f64 = 0.8;

/// What the finished trainings of a grid came to.
#[derive(Debug, Default)]
pub(crate) struct Results {
    runs: Vec<Finished>,
}

#[derive(Debug)]
struct Finished {
    name: String,
    summary: ToySummary,
    /// Epoch, seconds, test metric.
    curve: Vec<(u64, f64, f64)>,
}

impl Results {
    /// Adds a finished training, with its table of epochs.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) fn add(&mut self, run: &GridRun, summary: ToySummary, epochs: &Path) -> Result<()> {
        let mut reader = csv::Reader::from_path(epochs)
            .with_context(|| format!("reading {}", epochs.display()))?;
        let rows = reader.deserialize::<super::history::EpochRow>();
        let curve = rows
            .map(|row| row.map(|row| (row.epoch, row.seconds, row.test_metric)))
            .collect::<Result<_, _>>()
            .with_context(|| format!("reading {}", epochs.display()))?;
        self.runs.push(Finished {
            name: run.name.clone(),
            summary,
            curve,
        });
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Writes the tables and pictures into the sweep's folder.
    ///
    /// # Errors
    /// When one cannot be drawn or written.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        for (name, text) in [("results.csv", self.table()), ("curves.csv", self.curves())] {
            let path = dir.join(name);
            write_whole(&path, text.as_bytes())
                .with_context(|| format!("writing {}", path.display()))?;
        }
        let pictures = dir.join("pictures");
        fs::create_dir_all(&pictures).with_context(|| format!("making {}", pictures.display()))?;
        for (task, metric) in [(Task::Classification, "accuracy"), (Task::Rendering, "IOU")] {
            self.draw(task, metric, &pictures)?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let mut text = "task,split,net,seed,learning_rate,l2,minibatch,decay_every_epochs,width,filter,input,loss,\
            n_params,epochs,updates,seconds,threads,train_metric,test_metric,\
            level_epoch,level_updates,level_seconds,best_test_metric,best_epoch,best_updates,best_seconds,weights_sha256\n"
            .to_owned();
        for Finished { summary: s, .. } in &self.runs {
            let (plan, set) = (&s.plan, &s.plan.settings);
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.2},{},{:.6},{:.6},{},{},{},{}",
                plan.task,
                plan.split,
                plan.net,
                plan.seed,
                set.learning_rate,
                set.l2,
                set.minibatch,
                set.decay_every_epochs,
                optional(set.width),
                optional(set.filter),
                optional(set.input),
                optional(set.loss),
                s.n_params,
                s.epochs,
                s.updates,
                s.seconds,
                s.threads,
                s.train_metric,
                s.test_metric,
                moment(s.to_level.as_ref()),
                optional(s.to_best.as_ref().map(|best| best.test_metric)),
                moment(s.to_best.as_ref()),
                s.weights_sha256
            );
        }
        text
    }

    fn curves(&self) -> String {
        let mut text = "task,split,net,run,epoch,seconds,test_metric\n".to_owned();
        for run in &self.runs {
            let plan = &run.summary.plan;
            let of_run = format!("{},{},{},{}", plan.task, plan.split, plan.net, run.name);
            for (epoch, seconds, metric) in &run.curve {
                let _ = writeln!(text, "{of_run},{epoch},{seconds:.2},{metric:.4}");
            }
        }
        text
    }

    /// The paper's Fig 4 (classification) or Fig 6 (rendering).
    fn draw(&self, task: Task, metric: &str, dir: &Path) -> Result<()> {
        let of_task = || self.runs.iter().filter(|run| run.summary.plan.task == task);
        let points: Vec<RunPoint> = of_task()
            .map(|run| RunPoint {
                net: net(run),
                split: run.summary.plan.split,
                train: run.summary.train_metric,
                test: run.summary.test_metric,
            })
            .collect();
        let title = format!("Generalisation, {task}");
        let scatter = generalisation(&ScatterSpec {
            title: &title,
            metric,
            runs: &points,
        })?;
        write_picture(&dir.join(format!("{task}-generalisation")), &scatter)?;

        let good = of_task().filter(|run| run.summary.test_metric >= CURVE_LEVEL);
        let curves: Vec<Curve> = good
            .map(|run| Curve {
                net: net(run),
                points: run
                    .curve
                    .iter()
                    .map(|&(_, seconds, metric)| (seconds, metric))
                    .collect(),
            })
            .collect();
        let title =
            format!("Test {metric} over time, {task}, runs that end at {CURVE_LEVEL} or better");
        let spec = CurvesSpec {
            title: &title,
            metric,
            x_axis: XAxis::Log,
            curves: &curves,
        };
        write_picture(&dir.join(format!("{task}-time")), &learning_curves(&spec)?)
    }
}

fn net(run: &Finished) -> Net {
    match run.summary.plan.net {
        NetKind::Conv => Net::Conv,
        NetKind::CoordConv => Net::CoordConv,
    }
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Three columns: epoch, updates, seconds.
fn moment(reached: Option<&Milestone>) -> String {
    reached.map_or_else(
        || ",,".to_owned(),
        |reached| {
            format!(
                "{},{},{:.2}",
                reached.epoch, reached.updates, reached.seconds
            )
        },
    )
}
