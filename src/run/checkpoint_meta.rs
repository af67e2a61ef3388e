//! What a checkpoint holds beside its tensors, and which run it belongs to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::episode_stats::EpisodeStats;
use super::replay_file::Voucher;

/// The counters of a run when the checkpoint was saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointMeta {
    /// Of which run it is.
    pub(crate) identity: Identity,
    /// Agent steps, all environments together.
    pub(crate) steps: u64,
    /// Optimizer steps.
    pub(crate) updates: u64,
    /// Games so far, and the last 100 of them.
    pub(crate) episode_stats: EpisodeStats,
    /// Steps at the last row of scalars.
    pub(crate) last_row: u64,
    /// The best evaluation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best_evaluation: Option<BestEvaluation>,
    /// Wall seconds of training so far.
    pub(crate) wall_seconds: f64,
    /// What vouches for the replay memory, of an agent that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<Voucher>,
    /// Step of the next update, of an agent that has lost its replay memory once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) learns_from: Option<u64>,
}

/// The evaluation with the best mean; of equal ones, the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BestEvaluation {
    /// Step of the training whose parameters played.
    pub(crate) step: u64,
    /// Mean raw score of its games.
    pub(crate) mean_score: f64,
}

/// What must be equal for a run to go on from a checkpoint: game, agent, torso and the like, as named strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity(BTreeMap<String, String>);

impl Identity {
    /// An identity of names and values, such as `("torso", "coordconv")`.
    pub(crate) fn new<const N: usize>(entries: [(&str, String); N]) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The same with one more entry.
    pub(crate) fn with(mut self, name: &str, value: String) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }
}

/// A checkpoint belongs to another run: every entry that differs, with both values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OtherIdentity(Vec<Difference>);

#[derive(Debug, PartialEq, Eq)]
struct Difference {
    name: String,
    found: Option<String>,
    expected: Option<String>,
}

/// Whether a checkpoint of identity `found` may be loaded where `expected` is wanted.
///
/// # Errors
/// Every entry that differs.
pub(crate) fn expect_identity(found: &Identity, expected: &Identity) -> Result<(), OtherIdentity> {
    let mut names: Vec<&String> = found.0.keys().chain(expected.0.keys()).collect();
    names.sort();
    names.dedup();
    let differences: Vec<Difference> = names
        .into_iter()
        .filter(|name| found.0.get(*name) != expected.0.get(*name))
        .map(|name| Difference {
            name: name.clone(),
            found: found.0.get(name).cloned(),
            expected: expected.0.get(name).cloned(),
        })
        .collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(OtherIdentity(differences))
    }
}

impl fmt::Display for OtherIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the checkpoint is of another run: ")?;
        for (index, difference) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let value =
                |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            write!(
                f,
                "{separator}{} is {}, expected {}",
                difference.name,
                value(&difference.found),
                value(&difference.expected)
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for OtherIdentity {}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(game: &str, torso: &str) -> Identity {
        Identity::new([("game", game.to_owned()), ("torso", torso.to_owned())])
    }

    #[test]
    fn a_checkpoint_of_the_same_run_is_welcome() {
        expect_identity(&identity("Pong", "conv"), &identity("Pong", "conv")).unwrap();
    }

    #[test]
    fn another_game_and_torso_are_named_with_both_values() {
        let error = expect_identity(
            &identity("Pong", "conv"),
            &identity("MsPacman", "coordconv"),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the checkpoint is of another run: game is Pong, expected MsPacman; torso is conv, expected coordconv"
        );
    }

    #[test]
    fn an_entry_that_only_one_side_has_differs() {
        let bare = Identity::new([("game", "Pong".to_owned())]);
        let error = expect_identity(&bare, &identity("Pong", "conv")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the checkpoint is of another run: torso is nothing, expected conv"
        );
    }
}
