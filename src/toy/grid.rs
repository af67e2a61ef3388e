//! Grids of trainings: `configs/toys/*.toml`, or a file of the user's.
//!
//! A file is a list of `[[runs]]`. Each gives a task and a network, and lists of values; it means every combination of them.
//! What is not listed is as in `configs/toys.toml`.

use std::fs;
use std::path::Path;

use rlrun_toys::not_so_clevr::Split;
use rlrun_toys::plan::ToyPlan;
use rlrun_toys::task::{Input, NetKind, RenderLoss, Task};
use serde::Deserialize;

use super::settings::Overrides;
use crate::config::line_of;
use crate::request::RequestError;

/// The grids that have a name, and their files.
const NAMED: [(&str, &str); 2] = [
    ("small", include_str!("../../configs/toys/small.toml")),
    ("paper", include_str!("../../configs/toys/paper.toml")),
];

/// Most trainings of one `[[runs]]`; the paper's largest has 648.
const MOST_RUNS: usize = 10_000;

/// A training of a grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GridRun {
    /// What is done.
    pub(crate) plan: ToyPlan,
    /// The name of its folder: all that tells it from the others of its task, split and network.
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GridFile {
    runs: Vec<Block>,
}

/// One `[[runs]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    task: Task,
    net: NetKind,
    splits: Vec<Split>,
    seeds: Vec<u64>,
    epochs: Option<Vec<u64>>,
    minibatch: Option<Vec<usize>>,
    learning_rate: Option<Vec<f64>>,
    decay_every_epochs: Option<Vec<u64>>,
    l2: Option<Vec<f64>>,
    width: Option<Vec<i64>>,
    filter: Option<Vec<i64>>,
    input: Option<Vec<Input>>,
    loss: Option<Vec<RenderLoss>>,
}

/// Reads the grid of that name, or the file of that path.
///
/// # Errors
/// No such grid or file, a file that is wrong (with its line), or a combination that cannot be trained.
pub(crate) fn read(grid: &Path) -> Result<Vec<GridRun>, RequestError> {
    if let Some((name, text)) = NAMED.iter().find(|(name, _)| Path::new(name) == grid) {
        return parse(&format!("grid {name}"), text);
    }
    let name = grid.display();
    let text = fs::read_to_string(grid).map_err(|error| {
        RequestError::new(format!(
            "--grid {name}: {error}; it is small, paper, or the path of a TOML file"
        ))
    })?;
    parse(&name.to_string(), &text)
}

fn parse(name: &str, text: &str) -> Result<Vec<GridRun>, RequestError> {
    let file: GridFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let reason = error.message().lines().next().unwrap_or("wrong").to_owned();
        RequestError::new(format!("{name}:{line}: {reason}"))
    })?;
    let mut runs: Vec<GridRun> = Vec::new();
    for (block, number) in file.runs.iter().zip(1..) {
        let plans = block.check().and_then(|()| block.plans());
        let plans = plans.map_err(|error| {
            RequestError::new(format!("{name}: [[runs]] number {number}: {error}"))
        })?;
        for plan in plans {
            if runs.iter().all(|run| run.plan != plan) {
                let name = name_of(&plan);
                runs.push(GridRun { plan, name });
            }
        }
    }
    if runs.is_empty() {
        return Err(RequestError::new(format!("{name}: the grid has no runs")));
    }
    Ok(runs)
}

impl Block {
    /// That it means some trainings, and not more than anyone can do.
    fn check(&self) -> Result<(), RequestError> {
        let given = [
            ("epochs", self.epochs.as_ref().map(Vec::len)),
            ("minibatch", self.minibatch.as_ref().map(Vec::len)),
            ("learning_rate", self.learning_rate.as_ref().map(Vec::len)),
            (
                "decay_every_epochs",
                self.decay_every_epochs.as_ref().map(Vec::len),
            ),
            ("l2", self.l2.as_ref().map(Vec::len)),
            ("width", self.width.as_ref().map(Vec::len)),
            ("filter", self.filter.as_ref().map(Vec::len)),
            ("input", self.input.as_ref().map(Vec::len)),
            ("loss", self.loss.as_ref().map(Vec::len)),
        ];
        let given = given.into_iter().filter_map(|(key, n)| Some((key, n?)));
        let lists = [("splits", self.splits.len()), ("seeds", self.seeds.len())];
        let mut n_runs = 1_usize;
        for (key, n_values) in lists.into_iter().chain(given) {
            if n_values == 0 {
                return Err(RequestError::new(format!("{key} is an empty list")));
            }
            n_runs = n_runs.saturating_mul(n_values);
        }
        if n_runs > MOST_RUNS {
            let message = format!("{n_runs} trainings are more than the {MOST_RUNS} of a grid");
            return Err(RequestError::new(message));
        }
        Ok(())
    }

    fn plans(&self) -> Result<Vec<ToyPlan>, RequestError> {
        let mut combinations = vec![Overrides::default()];
        cross(&mut combinations, self.epochs.as_deref(), |o, x| {
            o.epochs = Some(x);
        });
        cross(&mut combinations, self.minibatch.as_deref(), |o, x| {
            o.minibatch = Some(x);
        });
        cross(&mut combinations, self.learning_rate.as_deref(), |o, x| {
            o.learning_rate = Some(x);
        });
        cross(
            &mut combinations,
            self.decay_every_epochs.as_deref(),
            |o, x| {
                o.decay_every_epochs = Some(x);
            },
        );
        cross(&mut combinations, self.l2.as_deref(), |o, x| o.l2 = Some(x));
        cross(&mut combinations, self.width.as_deref(), |o, x| {
            o.width = Some(x);
        });
        cross(&mut combinations, self.filter.as_deref(), |o, x| {
            o.filter = Some(x);
        });
        cross(&mut combinations, self.input.as_deref(), |o, x| {
            o.input = Some(x);
        });
        cross(&mut combinations, self.loss.as_deref(), |o, x| {
            o.loss = Some(x);
        });
        let mut plans = Vec::new();
        for &split in &self.splits {
            for combination in &combinations {
                for &seed in &self.seeds {
                    plans.push(combination.plan(self.task, split, self.net, seed)?);
                }
            }
        }
        Ok(plans)
    }
}

/// Every combination with every value; as they are if no values are given.
fn cross<T: Copy>(
    combinations: &mut Vec<Overrides>,
    values: Option<&[T]>,
    set: impl Fn(&mut Overrides, T),
) {
    let Some(values) = values else { return };
    let crossed = combinations.iter().flat_map(|before| {
        values.iter().map(|&value| {
            let mut after = before.clone();
            set(&mut after, value);
            after
        })
    });
    *combinations = crossed.collect();
}

fn name_of(plan: &ToyPlan) -> String {
    let s = &plan.settings;
    let mut name = format!(
        "lr{}-l2_{}-mb{}-e{}-d{}",
        s.learning_rate, s.l2, s.minibatch, s.epochs, s.decay_every_epochs
    );
    let parts = [
        s.width.map(|width| format!("m{width}")),
        s.filter.map(|filter| format!("fs{filter}")),
        s.input.map(|input| input.to_string()),
        s.loss.map(|loss| loss.to_string()),
        Some(format!("seed{}", plan.seed)),
    ];
    for part in parts.into_iter().flatten() {
        name.push('-');
        name.push_str(&part);
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_papers_grid_has_the_papers_runs() {
        let runs = read(Path::new("paper")).unwrap();
        let count = |task, net| {
            let same = runs
                .iter()
                .filter(|run| run.plan.task == task && run.plan.net == net);
            same.count()
        };
        assert_eq!(count(Task::Classification, NetKind::Conv), 2 * 324);
        assert_eq!(count(Task::Classification, NetKind::CoordConv), 2 * 6);
        assert_eq!(count(Task::Regression, NetKind::Conv), 2 * 9);
        assert_eq!(count(Task::Regression, NetKind::CoordConv), 2);
        assert_eq!(count(Task::Rendering, NetKind::Conv), 2 * 648);
        assert_eq!(count(Task::Rendering, NetKind::CoordConv), 2 * 8);
    }

    #[test]
    fn no_two_runs_of_a_grid_share_a_folder() {
        for grid in ["small", "paper"] {
            let runs = read(Path::new(grid)).unwrap();
            let folders = runs.iter().map(|run| {
                format!(
                    "{} {} {} {}",
                    run.plan.task, run.plan.split, run.plan.net, run.name
                )
            });
            assert_eq!(folders.collect::<HashSet<_>>().len(), runs.len(), "{grid}");
        }
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place() {
        let check = |text: &str, message: &str| {
            let error = parse("my.toml", text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        check("runs = [", "my.toml:1: ");
        check(
            "[[runs]]\ntask = \"sorting\"\n",
            "my.toml:2: unknown variant `sorting`",
        );
        let good = "[[runs]]\ntask = \"regression\"\nnet = \"coordconv\"\nsplits = [\"uniform\"]\nseeds = [1]\n";
        check(
            &format!("{good}lr = [1]\n"),
            "my.toml:6: unknown field `lr`",
        );
        check(
            &format!("{good}width = [2]\n"),
            "[[runs]] number 1: width has no meaning",
        );
        check(
            &format!("{good}minibatch = [5000]\n"),
            "minibatch = 5000 is more than",
        );
        check("runs = []\n", "the grid has no runs");
        check(
            &good.replace("[1]", "[]"),
            "[[runs]] number 1: seeds is an empty list",
        );
        check(&format!("{good}l2 = []\n"), "l2 is an empty list");
        let many = format!("{:?}", (1..=200).collect::<Vec<u64>>());
        check(
            &format!("{}epochs = {many}\n", good.replace("[1]", &many)),
            "40000 trainings are more than the 10000 of a grid",
        );
        assert_eq!(parse("my.toml", good).unwrap().len(), 1);
        let error = read(Path::new("no-such-grid")).unwrap_err().to_string();
        assert!(error.contains("it is small, paper, or the path"), "{error}");
    }
}
