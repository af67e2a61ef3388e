//! Published results (`configs/references/*.toml`), to be drawn beside runs of the same agent, game and protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rlrun_envs::ProtocolName;
use serde::Deserialize;

use super::cohort::Cohort;
use super::score::steps;

/// One published result over some games.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Series {
    /// What a legend calls it.
    pub(crate) name: String,
    /// The algorithm, as in a plan.
    pub(crate) agent: String,
    /// The protocol that it was measured under.
    pub(crate) protocol: ProtocolName,
    /// How sure its numbers are.
    pub(crate) evidence: Evidence,
    /// What was averaged.
    pub(crate) how: String,
    /// Where it was published.
    pub(crate) source: String,
    /// By game: agent steps and raw score, in the order of steps.
    pub(crate) points: BTreeMap<String, Vec<(f64, f64)>>,
}

/// How sure a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// It stands in the source.
    Read,
    /// It was digitised or computed from what the source published.
    Derived,
}

/// The part of a series that fits into a figure.
#[derive(Clone, Debug)]
pub(crate) struct Overlay<'a> {
    /// Whose it is.
    pub(crate) series: &'a Series,
    /// Its points up to the end of the figure.
    pub(crate) points: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    series: Vec<Series>,
}

/// All published results.
fn all() -> &'static [Series] {
    static ALL: LazyLock<Vec<Series>> = LazyLock::new(|| {
        let texts = [
            include_str!("../../configs/references/a2c.toml"),
            include_str!("../../configs/references/dqn.toml"),
        ];
        let files = texts.map(|text| toml::from_str::<File>(text).expect("a test loads it"));
        files.into_iter().flat_map(|file| file.series).collect()
    });
    &ALL
}

/// Those of a cohort's agents, games and protocol. A cohort of imports alone does not tell its agents: then those of all.
pub(crate) fn of_cohort(cohort: &Cohort<'_>) -> Vec<&'static Series> {
    let agents: BTreeSet<&str> = cohort
        .variants
        .iter()
        .filter_map(|variant| variant.agent.as_deref())
        .collect();
    let fits = |series: &&Series| {
        let is_of_agent = agents.is_empty() || agents.contains(series.agent.as_str());
        let has_game = cohort
            .games
            .iter()
            .any(|game| series.points.contains_key(&game.name));
        series.protocol == cohort.protocol && is_of_agent && has_game
    };
    all().iter().filter(fits).collect()
}

/// The parts of `series` that a figure of a game up to `end` steps can show.
pub(crate) fn overlays<'a>(series: &[&'a Series], game: &str, end: u64) -> Vec<Overlay<'a>> {
    let overlay = |series: &&'a Series| {
        let points = series.points.get(game)?.iter().copied();
        let points: Vec<(f64, f64)> = points.filter(|&(at, _)| at <= steps(end)).collect();
        (!points.is_empty()).then_some(Overlay { series, points })
    };
    series.iter().filter_map(overlay).collect()
}

impl Evidence {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Derived => "derived",
        }
    }
}

#[cfg(test)]
mod tests {
    use rlrun_envs::World;

    use super::*;

    #[test]
    fn every_reference_has_a_known_game_ascending_steps_and_a_source() {
        assert!(all().len() >= 10);
        for series in all() {
            assert!(
                !series.source.is_empty() && !series.how.is_empty(),
                "{}",
                series.name
            );
            assert!(
                ["a2c", "dqn"].contains(&series.agent.as_str()),
                "{}",
                series.name
            );
            for (game, points) in &series.points {
                assert_eq!(
                    World::resolve(game).unwrap().name(),
                    game,
                    "{}",
                    series.name
                );
                assert!(
                    points.is_sorted_by(|a, b| a.0 < b.0) && !points.is_empty(),
                    "{}",
                    series.name
                );
            }
        }
    }

    #[test]
    fn an_overlay_ends_where_the_figure_ends() {
        let zoo = all()
            .iter()
            .find(|series| series.name == "SB3 Zoo, A2C")
            .unwrap();
        let got = overlays(&[zoo], "MsPacman", 1_000_000);
        assert_eq!(got[0].points, [(500_000.0, 567.0), (1_000_000.0, 677.0)]);
        assert!(overlays(&[zoo], "MsPacman", 499_999).is_empty());
        assert!(overlays(&[zoo], "Alien", 10_000_000).is_empty());
    }
}
