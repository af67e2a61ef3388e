//! Which runs are compared with which: those of one protocol, game by game.

use std::collections::{BTreeMap, BTreeSet};

use rlrun_envs::ProtocolName;

use super::gather::{Run, Status};

/// How exactly hidden layers compute: the one key of its table that decides scores.
const PRECISION: &str = "learner.precision";

/// Keys of a plan that leave the distribution of the scores as it is: where and how fast a run computes, what it logs.
const NOT_DECISIVE: [&str; 8] = [
    "game",
    "seed",
    "total_steps",
    "env.n_groups",
    "env.env_threads",
    "learner.",
    "eval.",
    "run.",
];

/// All runs of one protocol.
#[derive(Debug)]
pub(crate) struct Cohort<'a> {
    /// The protocol.
    pub(crate) protocol: ProtocolName,
    /// What is compared; a game may lack some.
    pub(crate) variants: Vec<Variant>,
    /// The games by name.
    pub(crate) games: Vec<Game<'a>>,
}

/// What the runs of one curve have in common, over all games.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Agent and torso, or the name of an import; with the settings in which it differs from others of that name.
    pub(crate) label: String,
    /// The algorithm; none for an import.
    pub(crate) agent: Option<String>,
    /// Kind of the torso; none for an import.
    pub(crate) torso: Option<String>,
}

/// The runs of one game.
#[derive(Debug)]
pub(crate) struct Game<'a> {
    /// Canonical name.
    pub(crate) name: String,
    /// Agent steps at which the runs are compared: those of the shortest one that counts, imports apart.
    pub(crate) horizon: u64,
    /// One for each variant.
    pub(crate) cells: Vec<Cell<'a>>,
}

/// The runs of one variant on one game.
#[derive(Debug, Default)]
pub(crate) struct Cell<'a> {
    /// Those that count in means and statistics.
    pub(crate) counted: Vec<&'a Run>,
    /// Those that are drawn only.
    pub(crate) drawn_only: Vec<&'a Run>,
}

/// Which runs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether runs that are running or were stopped count as far as they came.
    pub(crate) with_unfinished: bool,
    /// Agent steps at which all are compared, and which a run must have to count; none for those of the shortest.
    pub(crate) steps: Option<u64>,
}

impl Rules {
    fn counts(self, run: &Run) -> bool {
        (self.with_unfinished || run.is_complete())
            && self.steps.is_none_or(|steps| run.steps >= steps)
    }
}

/// The settings of a run that decide its curve. How long it is to be does so only under a schedule that ends with it.
pub(crate) fn decisive(settings: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let ends_with_it = settings
        .iter()
        .any(|(key, value)| key.ends_with("learning_rate_schedule") && value == "linear");
    let decides = |key: &str| {
        let is_listed = |listed: &&str| match listed.strip_suffix('.') {
            Some(table) => key
                .strip_prefix(table)
                .is_some_and(|rest| rest.starts_with('.')),
            None => key == *listed,
        };
        (key == "total_steps" && ends_with_it)
            || !(NOT_DECISIVE.iter().any(is_listed) || key.starts_with("version."))
    };
    let pairs = settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    // Runs of before there was a choice have no such key.
    let is_rounded = |&(key, value): &(&str, &str)| key == PRECISION && value != "float32";
    pairs
        .filter(|pair| decides(pair.0) || is_rounded(pair))
        .collect()
}

/// Sorts runs into cohorts, one for each protocol.
pub(crate) fn cohorts(runs: &[Run], rules: Rules) -> Vec<Cohort<'_>> {
    let of_protocol = |&protocol: &ProtocolName| {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.protocol == protocol).collect();
        (!runs.is_empty()).then(|| cohort(protocol, &runs, rules))
    };
    ProtocolName::ALL.iter().filter_map(of_protocol).collect()
}

fn cohort<'a>(protocol: ProtocolName, runs: &[&'a Run], rules: Rules) -> Cohort<'a> {
    let variants_of_runs: Vec<Variant> = runs.iter().map(|run| variant(run, runs)).collect();
    let mut variants = variants_of_runs.clone();
    // Ours before imports, conv before coordconv: the first of a pair is what the second is compared with.
    variants.sort_by_key(|variant| (variant.agent.is_none(), variant.label.clone()));
    variants.dedup();
    let names: BTreeSet<&str> = runs.iter().map(|run| run.game.as_str()).collect();
    let game = |&name: &&str| {
        let mut cells: Vec<Cell<'a>> = variants.iter().map(|_| Cell::default()).collect();
        for (run, variant) in runs.iter().zip(&variants_of_runs) {
            let place = variants.iter().position(|other| other == variant);
            if let Some(cell) = place
                .map(|place| &mut cells[place])
                .filter(|_| run.game == name)
            {
                let part = if rules.counts(run) {
                    &mut cell.counted
                } else {
                    &mut cell.drawn_only
                };
                part.push(run);
            }
        }
        let horizon = horizon(&cells, rules);
        set_short_imports_aside(&mut cells, horizon);
        Game {
            name: name.to_owned(),
            horizon,
            cells,
        }
    };
    let games = names.iter().map(game).collect();
    Cohort {
        protocol,
        variants,
        games,
    }
}

/// The steps of the shortest of our own runs that count, else of the shortest import; without any, of the longest run.
fn horizon(cells: &[Cell<'_>], rules: Rules) -> u64 {
    let counted = || cells.iter().flat_map(|cell| &cell.counted);
    let shortest = |is_import: bool| {
        let of_kind = counted().filter(|run| (run.status == Status::Imported) == is_import);
        of_kind.map(|run| run.steps).min()
    };
    let asked = rules.steps.filter(|_| counted().next().is_some());
    let drawn = cells.iter().flat_map(|cell| &cell.drawn_only);
    let longest = || drawn.map(|run| run.steps).max();
    asked
        .or_else(|| shortest(false))
        .or_else(|| shortest(true))
        .or_else(longest)
        .unwrap_or(0)
}

/// An import that ends before the runs are compared does not count: it would cut ours short. That the last thing it logged is a
/// little before its last step is no matter: SB3's A2C logs every 100 updates.
fn set_short_imports_aside(cells: &mut [Cell<'_>], horizon: u64) {
    for cell in cells {
        let is_short = |run: &&Run| {
            let reach = run.steps + run.history.steps_between_means();
            run.status == Status::Imported && reach < horizon - horizon / 50
        };
        let short = cell.counted.extract_if(.., |run| is_short(run));
        cell.drawn_only.extend(short);
    }
}

/// The variant of a run; runs of the same name on the same game with other settings are told apart by those settings.
fn variant(run: &Run, runs: &[&Run]) -> Variant {
    let of_name = || runs.iter().filter(|other| other.variant == run.variant);
    let mut differing = BTreeSet::new();
    for game in of_name().map(|run| &run.game).collect::<BTreeSet<_>>() {
        let mut of_game = of_name()
            .filter(|other| other.game == *game)
            .map(|run| decisive(&run.settings));
        let Some(first) = of_game.next() else {
            continue;
        };
        for other in of_game {
            let keys = first.keys().chain(other.keys());
            differing.extend(
                keys.filter(|&&key| first.get(key) != other.get(key))
                    .map(|&key| key.to_owned()),
            );
        }
    }
    let value = |key: &String| {
        let value = run.settings.get(key).map_or("absent", String::as_str);
        format!("{} {value}", key.rsplit('.').next().unwrap_or(key))
    };
    let settings: Vec<String> = differing.iter().map(value).collect();
    let label = match &settings[..] {
        [] => run.variant.clone(),
        settings => format!("{} ({})", run.variant, settings.join(", ")),
    };
    Variant {
        label,
        agent: run.settings.get("agent").cloned(),
        torso: run.torso.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_learner_only_another_precision_decides() {
        let settings = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect()
        };
        let of_before = settings(&[("learner.threads", "2"), ("a2c.discount", "0.99")]);
        let exact = settings(&[("learner.precision", "float32"), ("a2c.discount", "0.99")]);
        let rounded = settings(&[("learner.precision", "bf16"), ("a2c.discount", "0.99")]);
        assert_eq!(decisive(&of_before), decisive(&exact));
        assert_eq!(
            decisive(&rounded),
            BTreeMap::from([("a2c.discount", "0.99"), ("learner.precision", "bf16")])
        );
    }
}
