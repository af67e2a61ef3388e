//! What came of an evaluation: a table for people, a CSV with every game, and a JSON with all that belongs to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rlrun_envs::{Protocol, ProtocolName};
use serde::Serialize;

use super::EvalRequest;
use super::games::PlayedGame;
use super::statistics::Statistics;
use crate::config::grouped;
use crate::human;
use crate::player::{Rule, SavedAgent};
use crate::run::atomic::write_whole;

/// What stands in the JSON file.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    game: String,
    agent: String,
    torso: String,
    /// The master seed of the training.
    training_seed: u64,
    run: PathBuf,
    checkpoint: CheckpointReport,
    protocol: ProtocolReport,
    rule: Rule,
    /// Which games were played.
    seed: u64,
    n_games: usize,
    score: Statistics,
    /// Of each game's `(score - random) / (human - random)`; none for a game without a human score.
    human_normalised: Option<Statistics>,
    /// What it was computed with.
    references: Option<human::References>,
    length_steps: Statistics,
    versions: BTreeMap<String, String>,
    /// Name of the files without their ending.
    #[serde(skip)]
    name: String,
}

#[derive(Debug, Serialize)]
struct CheckpointReport {
    file: PathBuf,
    step: u64,
    weights_sha256: String,
}

/// The name, and every rule behind it.
#[derive(Debug, Serialize)]
struct ProtocolReport {
    name: ProtocolName,
    rules: Protocol,
}

/// The files that were written.
#[derive(Debug)]
pub(super) struct Files {
    csv: PathBuf,
    json: PathBuf,
}

impl Report {
    /// Of these games.
    ///
    /// # Errors
    /// If the network's parameters cannot be read.
    pub(super) fn new(
        saved: &SavedAgent,
        request: &EvalRequest,
        rule: Rule,
        games: &[PlayedGame],
        versions: BTreeMap<String, String>,
    ) -> Result<Self> {
        let plan = &saved.plan;
        let scores: Vec<f64> = games.iter().map(|game| game.score).collect();
        let normalised = scores
            .iter()
            .map(|&score| human::normalised(&plan.game, score));
        let normalised: Option<Vec<f64>> = normalised.collect();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a game has far fewer steps than 2^52"
        )]
        let lengths: Vec<f64> = games.iter().map(|game| game.length_steps as f64).collect();
        Ok(Self {
            game: plan.game.clone(),
            agent: plan.agent.kind().to_string(),
            torso: plan.torso.kind.to_string(),
            training_seed: plan.seed,
            run: saved.run.clone(),
            checkpoint: CheckpointReport {
                file: saved.path.clone(),
                step: saved.step,
                weights_sha256: saved.weights_sha256()?,
            },
            protocol: ProtocolReport {
                name: plan.protocol,
                rules: Protocol::named(plan.protocol),
            },
            rule,
            seed: request.seed,
            n_games: games.len(),
            score: Statistics::of(&scores),
            human_normalised: normalised.map(|scores| Statistics::of(&scores)),
            references: human::references(&plan.game),
            length_steps: Statistics::of(&lengths),
            versions,
            name: name(saved, rule, request),
        })
    }

    /// Writes both files into `dir`, each whole or not at all, over those of the same evaluation.
    ///
    /// # Errors
    /// If one cannot be written.
    pub(super) fn write(&self, dir: &Path, games: &[PlayedGame]) -> Result<Files> {
        let path = |ending: &str| dir.join(format!("{}.{ending}", self.name));
        let write = |path: &Path, text: String| {
            write_whole(path, text.as_bytes())
                .with_context(|| format!("writing {}", path.display()))
        };
        let files = Files {
            csv: path("csv"),
            json: path("json"),
        };
        write(&files.csv, csv(games))?;
        write(&files.json, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(files)
    }

    /// The page for people.
    pub(super) fn table(&self, files: &Files) -> String {
        let mut text = format!(
            "{} {}-{} seed {}, step {}: {} games under {}, {}, evaluation seed {}\n\n",
            self.game,
            self.agent,
            self.torso,
            self.training_seed,
            grouped(self.checkpoint.step),
            grouped(self.n_games as u64),
            self.protocol.name,
            self.rule,
            self.seed,
        );
        let head = ["", "mean", "median", "IQM", "min", "max", "std"];
        text += &line(&head.map(str::to_owned));
        text += &line(&row("score", &self.score, 1));
        if let Some(normalised) = &self.human_normalised {
            text += &line(&row("human-normalised", normalised, 3));
        }
        text += &line(&row("length, steps", &self.length_steps, 0));
        match self.references {
            Some(human::References { random, human }) => {
                let _ = writeln!(
                    text,
                    "\nhuman-normalised: 0 is a random player ({random}), 1 a human ({human})"
                );
            }
            None => {
                let _ = writeln!(text, "\n{} has no human score to compare with", self.game);
            }
        }
        let (csv, json) = (files.csv.display(), files.json.display());
        text + &format!("{csv}\n{json}\n")
    }
}

/// What tells an evaluation from any other of the run.
fn name(saved: &SavedAgent, rule: Rule, request: &EvalRequest) -> String {
    let (label, seed, n_games) = (saved.label(), request.seed, request.n_games);
    format!("{label}-{}-seed{seed}-{n_games}games", rule.file_name())
}

fn csv(games: &[PlayedGame]) -> String {
    let mut text = "game,env,seed,score,length_steps\n".to_owned();
    for PlayedGame {
        game,
        env,
        seed,
        score,
        length_steps,
    } in games
    {
        let _ = writeln!(text, "{game},{env},{seed},{score},{length_steps}");
    }
    text
}

fn row(name: &str, statistics: &Statistics, decimals: usize) -> [String; 7] {
    let Statistics {
        mean,
        median,
        iqm,
        min,
        max,
        std,
    } = *statistics;
    let number = |value: f64| format!("{value:.decimals$}");
    [
        name.to_owned(),
        number(mean),
        number(median),
        number(iqm),
        number(min),
        number(max),
        std.map_or_else(|| "-".to_owned(), number),
    ]
}

fn line(cells: &[String; 7]) -> String {
    let [name, numbers @ ..] = cells;
    let mut line = format!("{name:<18}");
    for number in numbers {
        let _ = write!(line, "{number:>11}");
    }
    line + "\n"
}
