//! All figures of a cohort.

use rayon::prelude::*;

use super::cohort::{Cell, Cohort, Game};
use super::compare::{Comparison, OverGames};
use super::figure::{
    CurvesSpec, DotRow, DotsSpec, Figure, ProfileCurve, VariantCurve, dots, learning_curves,
    profiles,
};
use super::gather::Run;
use super::references::{Series, overlays};
use super::score::curve;
use super::statistics::{Aggregates, Interval, mean, mean_interval};

/// Points of a curve.
const GRID: u64 = 160;

/// The figures of a cohort.
#[derive(Debug)]
pub(crate) struct Drawings {
    /// Learning curves, one figure for each game.
    pub(crate) curves: Vec<Figure>,
    /// The four aggregates of each variant, if there are games to aggregate.
    pub(crate) aggregates: Option<Figure>,
    /// The probability of improvement of each pair.
    pub(crate) improvement: Option<Figure>,
    /// The performance profile of each variant.
    pub(crate) profiles: Option<Figure>,
}

impl Drawings {
    /// Every figure.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Figure> {
        let over_games = [&self.aggregates, &self.improvement, &self.profiles];
        self.curves.iter().chain(over_games.into_iter().flatten())
    }
}

/// Draws everything.
pub(crate) fn draw(cohort: &Cohort<'_>, comparison: &Comparison, series: &[&Series]) -> Drawings {
    let over_games = &comparison.over_games;
    let curves = cohort
        .games
        .par_iter()
        .map(|game| game_curves(cohort, game, series));
    Drawings {
        curves: curves.collect(),
        aggregates: (!over_games.is_empty()).then(|| aggregates(cohort, over_games)),
        improvement: improvement(cohort, comparison),
        profiles: (!over_games.is_empty()).then(|| {
            let curves: Vec<ProfileCurve<'_>> = over_games
                .iter()
                .map(|of| profile_curve(cohort, of))
                .collect();
            profiles(
                format!("{}-profiles", cohort.protocol),
                &comparison.taus,
                &curves,
            )
        }),
    }
}

fn game_curves(cohort: &Cohort<'_>, game: &Game<'_>, series: &[&Series]) -> Figure {
    let grid: Vec<u64> = (0..=GRID)
        .map(|point| game.horizon * point / GRID)
        .collect();
    let variants = game.cells.iter().enumerate();
    let curves: Vec<VariantCurve> = variants
        .filter(|(_, cell)| !(cell.counted.is_empty() && cell.drawn_only.is_empty()))
        .map(|(variant, cell)| variant_curve(variant, &cohort.variants[variant].label, cell, &grid))
        .collect();
    learning_curves(&CurvesSpec {
        name: format!("{}-{}", cohort.protocol, game.name.replace(':', "-")),
        title: game.name.clone(),
        grid: &grid,
        curves: &curves,
        overlays: &overlays(series, &game.name, game.horizon),
    })
}

fn variant_curve(variant: usize, label: &str, cell: &Cell<'_>, grid: &[u64]) -> VariantCurve {
    let one = |run: &&Run| {
        let told = format!("{label}, seed {}, {}", run.seed, run.status.as_str());
        (told, curve(&run.history, run.steps, grid))
    };
    let seeds: Vec<_> = cell.counted.iter().map(one).collect();
    // A mean of those seeds that have a value already would jump when the others come in.
    let at = |point: usize| -> Option<Vec<f64>> {
        seeds.iter().map(|(_, values)| values[point]).collect()
    };
    let all: Vec<Option<Vec<f64>>> = (0..grid.len()).map(at).collect();
    let have = |values: &Option<Vec<f64>>| values.clone().filter(|values| !values.is_empty());
    VariantCurve {
        variant,
        label: label.to_owned(),
        mean: all
            .iter()
            .map(|values| have(values).map(|values| mean(&values)))
            .collect(),
        band: all
            .iter()
            .map(|values| have(values).and_then(|values| mean_interval(&values)))
            .collect(),
        seeds,
        drawn_only: cell.drawn_only.iter().map(one).collect(),
    }
}

fn aggregates(cohort: &Cohort<'_>, over_games: &[OverGames]) -> Figure {
    let panel = |title: &str, of: fn(&Aggregates) -> f64| {
        let row = |stats: &OverGames| DotRow {
            variant: stats.variant,
            label: cohort.variants[stats.variant].label.clone(),
            value: of(&stats.points),
            interval: stats.ends.as_ref().map(|[low, high]| Interval {
                low: of(low),
                high: of(high),
            }),
        };
        (title.to_owned(), over_games.iter().map(row).collect())
    };
    dots(&DotsSpec {
        name: format!("{}-aggregates", cohort.protocol),
        title: "Human-normalised scores over games".to_owned(),
        panels: &[
            panel("Interquartile mean", |a| a.iqm),
            panel("Median", |a| a.median),
            panel("Mean", |a| a.mean),
            panel("Optimality gap (less is better)", |a| a.optimality_gap),
        ],
        marked: None,
    })
}

fn improvement(cohort: &Cohort<'_>, comparison: &Comparison) -> Option<Figure> {
    let label = |variant: usize| &cohort.variants[variant].label;
    let rows: Vec<DotRow> = comparison
        .pairs
        .iter()
        .filter_map(|pair| {
            let improvement = pair.improvement?;
            Some(DotRow {
                variant: pair.other,
                label: format!("{} > {}", label(pair.other), label(pair.base)),
                value: improvement.value,
                interval: improvement.interval,
            })
        })
        .collect();
    (!rows.is_empty()).then(|| {
        dots(&DotsSpec {
            name: format!("{}-improvement", cohort.protocol),
            title: "Probability of improvement".to_owned(),
            panels: &[(String::new(), rows)],
            marked: Some(0.5),
        })
    })
}

fn profile_curve<'a>(cohort: &'a Cohort<'_>, stats: &'a OverGames) -> ProfileCurve<'a> {
    ProfileCurve {
        variant: stats.variant,
        label: &cohort.variants[stats.variant].label,
        profile: &stats.profile,
        has_band: stats.ends.is_some(),
    }
}
