//! The named protocols: how a game is started, when a return ends, how random the emulator is. Two are for Atari; the third
//! says that classic control has none of this.
//!
//! Every value stands in `configs/protocols/*.toml` with its unit and source, and nowhere else. A score means something
//! only beside scores of the same protocol, so a run keeps the name in its plan.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of a shipped protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtocolName {
    /// OpenAI Baselines and the RL Zoo: life loss ends the return, no-op starts, FIRE, no sticky actions.
    Baselines,
    /// Machado et al. 2018 and Dopamine: sticky actions, full games.
    Machado,
    /// Gymnasium's classic control: nothing is added.
    Gym,
}

impl ProtocolName {
    /// All protocols, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Baselines, Self::Machado, Self::Gym];

    /// The name as it is written in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baselines => "baselines",
            Self::Machado => "machado",
            Self::Gym => "gym",
        }
    }
}

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown protocol {0:?}: expected `baselines`, `machado` or `gym`")]
pub struct UnknownProtocol(pub String);

impl FromStr for ProtocolName {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| UnknownProtocol(name.to_owned()))
    }
}

/// The rules of a protocol. Units and sources of the values stand in `configs/protocols/*.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one switch of a published protocol"
)]
pub struct Protocol {
    /// Probability, per frame, that the console goes on with its previous action.
    pub sticky_action_prob: f32,
    /// Frames, upper bound (exclusive) of the random number of no-ops at the start of a game; 0 for none.
    pub noop_max: u32,
    /// Whether a lost life ends the return, while the game goes on.
    pub life_loss_ends_return: bool,
    /// Whether FIRE is pressed once at the start of a game that has this button.
    pub fire_on_reset: bool,
    /// Frames after which a game is cut off (truncated), no-ops not counted.
    pub max_frames_per_game: u32,
    /// Whether all 18 actions are offered instead of those the game uses.
    pub full_action_space: bool,
    /// Frames per step.
    pub frame_skip: u32,
    /// Pictures in one observation.
    pub frame_stack: usize,
    /// Pixels, height and width of one picture.
    pub screen_size: usize,
    /// Whether the learner sees the sign of the reward. Environments always give it raw.
    pub clip_rewards: bool,
}

impl Protocol {
    /// The shipped protocol of this name.
    ///
    /// # Panics
    /// Never: the files are compiled in, and a test loads them.
    pub fn named(name: ProtocolName) -> Self {
        let text = match name {
            ProtocolName::Baselines => include_str!("../../configs/protocols/baselines.toml"),
            ProtocolName::Machado => include_str!("../../configs/protocols/machado.toml"),
            ProtocolName::Gym => include_str!("../../configs/protocols/gym.toml"),
        };
        toml::from_str(text).expect("a test loads all shipped files")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_protocols_load_and_differ_where_they_should() {
        let baselines = Protocol::named(ProtocolName::Baselines);
        let machado = Protocol::named(ProtocolName::Machado);
        assert!(baselines.life_loss_ends_return && baselines.fire_on_reset);
        assert_eq!((baselines.noop_max, machado.noop_max), (30, 0));
        assert!(!machado.life_loss_ends_return && !machado.fire_on_reset);
        assert_eq!(
            (baselines.sticky_action_prob, machado.sticky_action_prob),
            (0.0, 0.25)
        );
        for protocol in [baselines, machado] {
            assert_eq!(protocol.max_frames_per_game, 108_000);
            assert_eq!((protocol.frame_skip, protocol.frame_stack), (4, 4));
            assert_eq!(protocol.screen_size, 84);
        }
        let gym = Protocol::named(ProtocolName::Gym);
        assert!(!gym.clip_rewards && !gym.life_loss_ends_return);
        assert_eq!((gym.frame_skip, gym.sticky_action_prob), (1, 0.0));
    }

    #[test]
    fn a_protocol_with_an_unknown_key_is_refused() {
        let text = format!(
            "{}\nsticky = 1\n",
            include_str!("../../configs/protocols/machado.toml")
        );
        let error = toml::from_str::<Protocol>(&text).unwrap_err();
        assert!(error.to_string().contains("sticky"), "{error}");
    }

    #[test]
    fn names_read_as_they_are_written() {
        for name in ProtocolName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert!("Machado".parse::<ProtocolName>().is_err());
    }
}
