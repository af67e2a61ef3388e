//! The parts of the page about the runs themselves: how far and how fast they went, how their settings differ, what is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::table::Table;
use crate::report::Chapter;
use crate::report::cohort::{Game, Variant};
use crate::report::figure::{escape, number, step_count};
use crate::report::gather::{Gathered, Run};
use crate::report::score::steps;
use crate::run::progress::human_time;

/// The table of all runs.
pub(super) fn runs(gathered: &Gathered) -> String {
    let mut table = Table::new(
        "Every run. Wall time is that of training, all processes of the run together; of an import, from its first \
        point to its last. Speed: agent steps over wall time.",
        &[
            "Run",
            "<Game",
            "<Variant",
            "<Protocol",
            "Seed",
            "<State",
            "Steps",
            "Wall time",
            "Steps/s",
        ],
    );
    for run in &gathered.runs {
        let seconds = run
            .wall_seconds
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        table.add(&[
            path(run),
            escape(&run.game),
            escape(&run.variant),
            run.protocol.to_string(),
            run.seed.to_string(),
            run.status.as_str().to_owned(),
            step_count(steps(run.steps)),
            time.map_or("\u{2013}".to_owned(), human_time),
            seconds.map_or("\u{2013}".to_owned(), |seconds| {
                number(steps(run.steps) / seconds)
            }),
        ]);
    }
    format!("<h2 id=\"runs\">Runs and speed</h2>\n{}", table.html())
}

/// The path of a run, which a narrow page breaks between folders.
fn path(run: &Run) -> String {
    let path = escape(&run.path.display().to_string());
    format!("<code>{}</code>", path.replace('/', "/<wbr>"))
}

/// The settings that are not the same in all runs of an agent.
pub(super) fn differences(gathered: &Gathered) -> String {
    let mut html = "<h2 id=\"settings\">Settings that differ</h2>\n".to_owned();
    let mut by_variant: BTreeMap<(String, String), Vec<&Run>> = BTreeMap::new();
    for run in gathered.runs.iter().filter(|run| !run.settings.is_empty()) {
        let group = (run.variant.clone(), run.protocol.to_string());
        by_variant.entry(group).or_default().push(run);
    }
    let keys: BTreeSet<&str> = by_variant
        .values()
        .flatten()
        .flat_map(|run| run.settings.keys())
        .map(String::as_str)
        .collect();
    let groups: Vec<String> = by_variant
        .keys()
        .map(|(variant, protocol)| format!("{variant}, {protocol}"))
        .collect();
    let mut head = vec!["Setting"];
    let groups: Vec<String> = groups
        .into_iter()
        .map(|group| format!("<{group}"))
        .collect();
    head.extend(groups.iter().map(String::as_str));
    let mut table = Table::new(
        "Settings of plan.toml and versions that differ between runs, game and seed apart; every value that occurs is \
        listed. \u{2013}: no such setting.",
        &head,
    );
    for key in keys
        .into_iter()
        .filter(|key| !["game", "seed"].contains(key))
    {
        let values: Vec<BTreeSet<&str>> = by_variant
            .values()
            .map(|runs| values_of(runs, key))
            .collect();
        let is_same = values.iter().flatten().collect::<BTreeSet<_>>().len() == 1;
        if !is_same {
            let mut cells = vec![format!("<code>{}</code>", escape(key))];
            cells.extend(
                values
                    .iter()
                    .map(|values| escape(&values.iter().copied().collect::<Vec<_>>().join(", "))),
            );
            table.add(&cells);
        }
    }
    if table.is_empty() {
        html.push_str(
            "<p>None: all runs have the same settings and versions, game and seed apart.</p>\n",
        );
    } else {
        html.push_str(&table.html());
    }
    html
}

fn values_of<'a>(runs: &[&'a Run], key: &str) -> BTreeSet<&'a str> {
    runs.iter()
        .map(|run| run.settings.get(key).map_or("\u{2013}", String::as_str))
        .collect()
}

/// What a reader must know about single runs, and what is not in the report.
pub(super) fn left_out(gathered: &Gathered, chapters: &[Chapter<'_>]) -> String {
    let games = chapters.iter().flat_map(|chapter| {
        let games = chapter.cohort.games.iter();
        games.flat_map(|game| notes_of_game(game, &chapter.cohort.variants))
    });
    let left_out = gathered.left_out.iter();
    let left_out = left_out.map(|run| format!("Left out: {}: {}.", run.path.display(), run.why));
    let items: Vec<String> = games
        .chain(gathered.runs.iter().flat_map(notes_of_run))
        .chain(left_out)
        .map(|item| format!("<li>{}</li>\n", escape(&item)))
        .collect();
    let list = if items.is_empty() {
        "<p>Nothing was left out: all runs were finished, and read whole.</p>\n".to_owned()
    } else {
        format!("<ul>\n{}</ul>\n", items.concat())
    };
    format!("<h2 id=\"left-out\">Notes</h2>\n{list}")
}

/// Where runs of a game differ in length, and where there is one seed only.
fn notes_of_game(game: &Game<'_>, variants: &[Variant]) -> Vec<String> {
    let mut notes = Vec::new();
    let runs = || game.cells.iter().flat_map(|cell| &cell.counted);
    let longest = runs().map(|run| run.steps).max().unwrap_or(0);
    let shortest = runs().min_by_key(|run| run.steps);
    if let Some(shortest) = shortest.filter(|_| longest > game.horizon + game.horizon / 50) {
        notes.push(format!(
            "{}: its runs differ in length, up to {}; all are compared at {} steps. The shortest is {}.",
            game.name,
            step_count(steps(longest)),
            step_count(steps(game.horizon)),
            shortest.path.display()
        ));
    }
    for (cell, variant) in game.cells.iter().zip(variants) {
        if cell.counted.len() == 1 {
            let (game, variant) = (&game.name, &variant.label);
            notes.push(format!(
                "{game}, {variant}: one seed only, so that no interval can be given."
            ));
        }
    }
    notes
}

fn notes_of_run(run: &Run) -> Vec<String> {
    let path = run.path.display();
    let mut notes: Vec<String> = run
        .notes
        .iter()
        .map(|note| format!("{path}: {note}"))
        .collect();
    if !run.is_complete() {
        let (state, after) = (run.status.as_str(), step_count(steps(run.steps)));
        notes.push(format!("{path}: {state}, after {after} steps."));
    }
    notes
}
