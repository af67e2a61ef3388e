//! The tables and pictures of a sweep.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rlrun_toys::pictures::{
    Curve, CurvesSpec, RunPoint, ScatterSpec, XAxis, generalisation, learning_curves,
};
use rlrun_toys::task::{NetKind, Task};

use super::gallery::{folder_of_pictures, write_picture};
use super::grid::GridRun;
use super::history::EpochRow;
use super::verdict::{Milestone, ToySummary};
use crate::run::atomic::write_whole;

/// Only trainings that end with this test metric or better are in the curves, as in the paper's Figs 4 and 6 (but see
/// [`Results::good_runs`]).
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
    /// When the table cannot be read; the training is added without its curve then.
    pub(crate) fn add(&mut self, run: &GridRun, summary: ToySummary, epochs: &Path) -> Result<()> {
        let (curve, outcome) = match read_curve(epochs) {
            Ok(curve) => (curve, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        self.runs.push(Finished {
            name: run.name.clone(),
            summary,
            curve,
        });
        outcome.with_context(|| format!("reading {}", epochs.display()))
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
        let pictures = folder_of_pictures(dir)?;
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
                net: run.summary.plan.net,
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

        let curves: Vec<Curve> = NetKind::ALL
            .iter()
            .flat_map(|&net| self.good_runs(task, net))
            .map(Finished::drawn)
            .collect();
        let title = format!(
            "Test {metric} over time, {task}: runs that end at {CURVE_LEVEL} or better, else a network's best"
        );
        let spec = CurvesSpec {
            title: &title,
            metric,
            x_axis: XAxis::Log,
            curves: &curves,
        };
        write_picture(&dir.join(format!("{task}-time")), &learning_curves(&spec)?)
    }

    /// The trainings of a network whose curves are drawn: those that end at [`CURVE_LEVEL`] or better. In a small grid a network
    /// may have none; then the one that ends best, so that the networks can be compared at all.
    fn good_runs(&self, task: Task, net: NetKind) -> Vec<&Finished> {
        let is_of_net =
            |run: &&Finished| run.summary.plan.task == task && run.summary.plan.net == net;
        let metric = |run: &Finished| run.summary.test_metric;
        let runs: Vec<&Finished> = self.runs.iter().filter(is_of_net).collect();
        let good: Vec<&Finished> = runs
            .iter()
            .copied()
            .filter(|run| metric(run) >= CURVE_LEVEL)
            .collect();
        if !good.is_empty() {
            return good;
        }
        let measured = runs.into_iter().filter(|run| metric(run).is_finite());
        let best = measured.max_by(|a, b| metric(a).total_cmp(&metric(b)));
        best.into_iter().collect()
    }
}

impl Finished {
    fn drawn(&self) -> Curve {
        let points = self.curve.iter();
        Curve {
            net: self.summary.plan.net,
            points: points
                .map(|&(_, seconds, metric)| (seconds, metric))
                .collect(),
        }
    }
}

/// Epoch, seconds and test metric of each row of an `epochs.csv`.
fn read_curve(epochs: &Path) -> csv::Result<Vec<(u64, f64, f64)>> {
    let mut reader = csv::Reader::from_path(epochs)?;
    let rows = reader.deserialize::<EpochRow>();
    rows.map(|row| row.map(|row| (row.epoch, row.seconds, row.test_metric)))
        .collect()
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

#[cfg(test)]
mod tests {
    use rlrun_toys::not_so_clevr::Split;

    use super::*;
    use crate::toy::Overrides;

    fn finished(net: NetKind, seed: u64, test_metric: f64) -> Finished {
        let plan = Overrides::default().plan(Task::Classification, Split::Uniform, net, seed);
        Finished {
            name: format!("seed{seed}"),
            summary: ToySummary {
                plan: plan.unwrap(),
                n_params: 1,
                epochs: 1,
                updates: 1,
                seconds: 1.0,
                threads: 1,
                train_metric: 1.0,
                test_metric,
                to_level: None,
                to_best: None,
                weights_sha256: String::new(),
            },
            curve: vec![(0, 0.0, 0.0), (1, 1.0, test_metric)],
        }
    }

    #[test]
    fn a_network_without_a_good_run_shows_its_best_one() {
        let results = Results {
            runs: vec![
                finished(NetKind::Conv, 1, 0.3),
                finished(NetKind::Conv, 2, 0.7),
                finished(NetKind::Conv, 3, f64::NAN),
                finished(NetKind::CoordConv, 4, 0.5),
                finished(NetKind::CoordConv, 5, 0.9),
                finished(NetKind::CoordConv, 6, 0.8),
            ],
        };
        let seeds = |task, net| {
            let runs = results.good_runs(task, net).into_iter();
            runs.map(|run| run.summary.plan.seed).collect::<Vec<_>>()
        };
        assert_eq!(seeds(Task::Classification, NetKind::Conv), [2]);
        assert_eq!(seeds(Task::Classification, NetKind::CoordConv), [5, 6]);
        assert!(seeds(Task::Rendering, NetKind::Conv).is_empty());
    }
}
