//! The part of the page about one protocol.

use std::fmt::Write as _;

use super::table::Table;
use super::with_interval;
use super::words::counted;
use crate::human;
use crate::report::Chapter;
use crate::report::compare::{OverGames, Pair, SEEDS_FOR_VERDICT};
use crate::report::figure::{Figure, N_COLOURS, escape, number, step_count};
use crate::report::score::steps;
use crate::report::statistics::{Interval, mean, mean_interval};

/// The chapter of a cohort.
pub(super) fn chapter(chapter: &Chapter<'_>) -> String {
    let protocol = chapter.cohort.protocol;
    let mut html = format!("<h2 id=\"{protocol}\">Protocol {protocol}</h2>\n");
    let _ = writeln!(
        html,
        "<h3>Learning curves</h3>\n<p class=\"how\">Mean raw score of the last 100 games over agent steps. Thin: \
         single seeds; thick: their mean; shaded: its 95% interval (Student's t; none for a single seed), cut off where \
         it leaves the figure. Broken lines are runs that do not count. Grey marks are published results.</p>"
    );
    html.push_str(&plots(chapter.drawings.curves.iter()));
    let _ = write!(html, "<h3>Scores</h3>\n{}", scores(chapter));
    if !chapter.comparison.pairs.is_empty() {
        let _ = write!(
            html,
            "<h3>Better, similar, worse</h3>\n{}",
            verdicts(chapter)
        );
    }
    html.push_str(&over_games(chapter));
    html.push_str(&references(chapter));
    html
}

fn plots<'a, F: IntoIterator<Item = &'a Figure>>(figures: F) -> String {
    let figures = figures
        .into_iter()
        .map(|figure| format!("<figure>{}</figure>\n", figure.inline()));
    format!(
        "<div class=\"plots\">\n{}</div>\n",
        figures.collect::<String>()
    )
}

/// The name of a variant behind its colour.
fn named(chapter: &Chapter<'_>, variant: usize) -> String {
    let label = escape(&chapter.cohort.variants[variant].label);
    format!(
        "<span class=\"key k{}\"></span>{label}",
        variant % N_COLOURS
    )
}

fn scores(chapter: &Chapter<'_>) -> String {
    let mut table = Table::new(
        "Final score: mean of the last 100 games. Area: mean over agent steps of the 100-game mean. Means over seeds with 95% intervals \
         (Student's t), at the same steps for all runs of a game.",
        &[
            "Game",
            "<Variant",
            "Final score",
            "Area",
            "Human-normalised",
            "Seeds",
            "Steps",
            "Random",
            "Human",
        ],
    );
    for (game, cells) in chapter.cohort.games.iter().zip(&chapter.comparison.scores) {
        for (variant, cell) in cells.iter().enumerate() {
            let Some((last, interval)) = cell.final_score() else {
                continue;
            };
            let player = |score: Option<f64>| score.map_or("\u{2013}".to_owned(), number);
            let references = human::references(&game.name);
            let normalised = cell.normalised.as_ref();
            table.add(&[
                escape(&game.name),
                named(chapter, variant),
                with_interval(last, interval),
                with_interval(mean(&cell.areas), mean_interval(&cell.areas)),
                normalised.map_or("no human score".to_owned(), |scores| {
                    with_interval(mean(scores), mean_interval(scores))
                }),
                cell.finals.len().to_string(),
                step_count(steps(game.horizon)),
                player(references.map(|players| players.random)),
                player(references.map(|players| players.human)),
            ]);
        }
    }
    if table.is_empty() {
        return "<p>No finished run yet. Give --unfinished to count runs as far as they came.</p>\n".to_owned();
    }
    table.html()
}

fn verdicts(chapter: &Chapter<'_>) -> String {
    let mut html = chapter
        .comparison
        .pairs
        .iter()
        .map(|pair| verdict_table(chapter, pair))
        .collect::<String>();
    if chapter.comparison.n_pairs_left_out > 0 {
        let _ = writeln!(
            html,
            "<p class=\"how\">{} more of variants are not shown; give fewer folders to compare them.</p>",
            counted(chapter.comparison.n_pairs_left_out, "pair")
        );
    }
    html
}

fn verdict_table(chapter: &Chapter<'_>, pair: &Pair) -> String {
    let label = |variant: usize| &chapter.cohort.variants[variant].label;
    let mut table = Table::new(
        &format!(
            "{} against {}: the difference of the mean final scores with its 95% interval (Welch). Better or worse \
             where that is wholly above or below 0; similar means that no difference is shown; fewer than \
             {SEEDS_FOR_VERDICT} seeds on a side decide nothing.",
            label(pair.other),
            label(pair.base)
        ),
        &["Game", "<Verdict", "Difference", "Seeds"],
    );
    for &(game, verdict) in &pair.games {
        let cells = &chapter.comparison.scores[game];
        let (base, other) = (&cells[pair.base].finals, &cells[pair.other].finals);
        let word = verdict.as_str();
        table.add(&[
            escape(&chapter.cohort.games[game].name),
            format!("<span class=\"{}\">{word}</span>", word.replace(' ', "-")),
            with_interval(mean(other) - mean(base), verdict.interval()),
            format!("{} and {}", other.len(), base.len()),
        ]);
    }
    table.html()
}

fn over_games(chapter: &Chapter<'_>) -> String {
    let comparison = &chapter.comparison;
    let mut html = "<h3>Over games</h3>\n".to_owned();
    if comparison.over_games.is_empty() {
        html.push_str("<p>Statistics over games need a game with a human score that all variants have; there is none here.</p>\n");
        return html;
    }
    let games = comparison
        .common_games
        .iter()
        .map(|&game| escape(&chapter.cohort.games[game].name));
    let _ = writeln!(
        html,
        "<p class=\"how\">Human-normalised final scores of the {} with a human score that all variants have: {}. As in \
         rliable; in brackets 95% stratified bootstrap intervals.</p>",
        counted(comparison.common_games.len(), "game"),
        games.collect::<Vec<_>>().join(", ")
    );
    let few = comparison
        .over_games
        .iter()
        .any(|stats| stats.n_runs.0 < SEEDS_FOR_VERDICT);
    if few {
        let _ = writeln!(
            html,
            "<p>Some games have fewer than {SEEDS_FOR_VERDICT} seeds. A bootstrap of so few runs gives intervals that \
            are too narrow, and none of one run.</p>"
        );
    }
    let drawings = &chapter.drawings;
    html.push_str(&plots(
        [
            &drawings.aggregates,
            &drawings.profiles,
            &drawings.improvement,
        ]
        .into_iter()
        .flatten(),
    ));
    html.push_str(&aggregates(chapter));
    html.push_str(&improvements(chapter));
    html
}

fn aggregates(chapter: &Chapter<'_>) -> String {
    let mut table = Table::new(
        "Aggregates of human-normalised final scores: 0 is a random player, 1 a human.",
        &[
            "Variant",
            "Games",
            "Runs a game",
            "Interquartile mean",
            "Median",
            "Mean",
            "Optimality gap",
        ],
    );
    for stats in &chapter.comparison.over_games {
        let OverGames {
            points,
            ends,
            n_runs,
            ..
        } = stats;
        let cell = |of: fn(&crate::report::statistics::Aggregates) -> f64| {
            let interval = ends.as_ref().map(|[low, high]| Interval {
                low: of(low),
                high: of(high),
            });
            with_interval(of(points), interval)
        };
        table.add(&[
            named(chapter, stats.variant),
            stats.n_games.to_string(),
            if n_runs.0 == n_runs.1 {
                n_runs.0.to_string()
            } else {
                format!("{} to {}", n_runs.0, n_runs.1)
            },
            cell(|a| a.iqm),
            cell(|a| a.median),
            cell(|a| a.mean),
            cell(|a| a.optimality_gap),
        ]);
    }
    table.html()
}

fn improvements(chapter: &Chapter<'_>) -> String {
    let mut table = Table::new(
        "Probability of improvement: how likely a run of the first variant beats one of the second on the same game, \
        mean over the games that both have.",
        &["Pair", "Games", "Probability"],
    );
    for pair in &chapter.comparison.pairs {
        if let Some(improvement) = pair.improvement {
            table.add(&[
                format!(
                    "{} over {}",
                    named(chapter, pair.other),
                    named(chapter, pair.base)
                ),
                improvement.n_games.to_string(),
                with_interval(improvement.value, improvement.interval),
            ]);
        }
    }
    if table.is_empty() {
        String::new()
    } else {
        table.html()
    }
}

fn references(chapter: &Chapter<'_>) -> String {
    let mut table = Table::new(
        "Published results of the same agent under the same protocol. A number is read where the source has it, derived where it was \
         digitised or computed from what the source published.",
        &[
            "Game",
            "<Published",
            "<Score at steps",
            "<What it is",
            "<Number",
            "<Source",
        ],
    );
    for game in &chapter.cohort.games {
        for series in &chapter.series {
            let Some(points) = series.points.get(&game.name) else {
                continue;
            };
            let points = points
                .iter()
                .map(|&(at, score)| format!("{} at {}", number(score), step_count(at)));
            table.add(&[
                escape(&game.name),
                escape(&series.name),
                points.collect::<Vec<_>>().join(", "),
                escape(&series.how),
                series.evidence.as_str().to_owned(),
                escape(&series.source),
            ]);
        }
    }
    if table.is_empty() {
        return "<p class=\"how\">No published result of these agents and games under this protocol is known to rlrun.</p>\n".to_owned();
    }
    format!(
        "<h3>Published references</h3>\n<p class=\"how\">Drawn beside the curves as far as these runs went.</p>\n{}",
        table.html()
    )
}
