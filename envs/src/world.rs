//! From a name that a person typed to a world.
//!
//! Names are looked up in a table, so that a wrong one is refused at once, without starting Python. A game is accepted
//! in every spelling in use: `MsPacman`, `ms_pacman`, `ms-pacman`, `ALE/MsPacman-v5`, `MsPacmanNoFrameskip-v4`. What
//! the last two say about frame skip and sticky actions is not heard: that is the protocol's part. The version of a classic
//! is: `CartPole-v0` has another time limit than the `CartPole-v1` that there is.

use std::fmt;

use thiserror::Error;

use crate::atari::{self, AtariGame};
use crate::classic::ClassicGame;
use crate::probe::ProbeWorld;

/// Something to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// A game of the Atari 2600, played by ALE.
    Atari(AtariGame),
    /// A game of gym-rs, whose observations are a few numbers. It has a name even where this build is without gym-rs.
    Classic(ClassicGame),
    /// A scripted world with a known answer, for tests.
    Probe(ProbeWorld),
}

impl World {
    /// The world of this name.
    ///
    /// # Errors
    /// [`UnknownGame`], with the nearest name there is.
    pub fn resolve(name: &str) -> Result<Self, UnknownGame> {
        if let Some(probe) = ProbeWorld::ALL
            .into_iter()
            .find(|probe| probe.name() == name)
        {
            return Ok(Self::Probe(probe));
        }
        let is_named = |game: &ClassicGame| {
            [game.name(), game.gymnasium_id()]
                .map(squeeze)
                .contains(&squeeze(name))
        };
        if let Some(game) = ClassicGame::ALL.into_iter().find(is_named) {
            return Ok(Self::Classic(game));
        }
        let key = key(name);
        if let Some(rom_id) = atari::TWO_PLAYER_ROMS
            .into_iter()
            .find(|rom| squeeze(rom) == key)
        {
            return Err(UnknownGame::TwoPlayers {
                name: name.to_owned(),
                rom_id,
            });
        }
        atari::list_games()
            .iter()
            .find(|game| squeeze(game.rom_id) == key)
            .map(|game| Self::Atari(AtariGame(game)))
            .ok_or_else(|| UnknownGame::NoSuchGame {
                name: name.to_owned(),
                nearest: nearest(name),
            })
    }

    /// The canonical name: `MsPacman`, `CartPole`, `probe:position`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Atari(game) => game.name(),
            Self::Classic(game) => game.name(),
            Self::Probe(probe) => probe.name(),
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no world.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownGame {
    /// No world has this name.
    #[error("unknown game {name:?}: did you mean `{nearest}`? `rlrun games` lists all")]
    NoSuchGame {
        /// What was asked for.
        name: String,
        /// The nearest canonical name.
        nearest: &'static str,
    },
    /// ALE plays this ROM only with two players.
    #[error("{name:?} needs two players: ALE has no single-player mode for `{rom_id}`")]
    TwoPlayers {
        /// What was asked for.
        name: String,
        /// The ROM.
        rom_id: &'static str,
    },
}

/// What is compared: the name without Gymnasium's prefix and suffixes, squeezed.
fn key(name: &str) -> String {
    let mut name = name.strip_prefix("ALE/").unwrap_or(name);
    if let Some((stem, version)) = name.rsplit_once("-v")
        && matches!(version, "0" | "4" | "5")
    {
        name = stem;
        for suffix in ["NoFrameskip", "Deterministic"] {
            name = name.strip_suffix(suffix).unwrap_or(name);
        }
    }
    squeeze(name)
}

/// Lower case, without what separates words.
fn squeeze(name: &str) -> String {
    let separators = ['_', '-', ' ', '.', '\''];
    name.chars()
        .filter(|c| !separators.contains(c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The canonical name that is the fewest slips of the fingers away; among equals the one with the longest common start.
fn nearest(name: &str) -> &'static str {
    let key = key(name);
    let probes = ProbeWorld::ALL.into_iter().map(ProbeWorld::name);
    let games = atari::list_games().iter().map(|game| game.name);
    let classics = ClassicGame::ALL.into_iter().map(ClassicGame::name);
    games
        .chain(classics)
        .chain(probes)
        .min_by(|a, b| distance(&key, a).total_cmp(&distance(&key, b)))
        .expect("the table is not empty")
}

fn distance(key: &str, candidate: &str) -> f64 {
    let candidate = squeeze(candidate);
    let n_slips = u32::try_from(strsim::damerau_levenshtein(key, &candidate)).unwrap_or(u32::MAX);
    f64::from(n_slips) - strsim::jaro_winkler(key, &candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_in_use_finds_the_game() {
        let check = |name: &str, expected: &str| {
            let world = World::resolve(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(world.name(), expected, "{name}");
        };
        for name in [
            "MsPacman",
            "mspacman",
            "ms_pacman",
            "ms-pacman",
            "ms pacman",
            "Ms. Pac-Man",
            "ALE/MsPacman-v5",
            "MsPacman-v4",
            "MsPacmanNoFrameskip-v4",
            "MsPacmanDeterministic-v0",
        ] {
            check(name, "MsPacman");
        }
        check("tic_tac_toe_3d", "TicTacToe3D");
        check("ALE/Pitfall2-v5", "Pitfall2");
        check("video pinball", "VideoPinball");
        check("probe:position", "probe:position");
        for name in [
            "CartPole",
            "cartpole",
            "cart_pole",
            "CartPole-v1",
            "cart-pole-v1",
        ] {
            check(name, "CartPole");
        }
        check("mountain car", "MountainCar");
        check("MountainCar-v0", "MountainCar");
    }

    #[test]
    fn every_listed_game_and_probe_resolves_to_itself() {
        for game in atari::list_games() {
            assert_eq!(World::resolve(game.name).unwrap().name(), game.name);
            assert_eq!(World::resolve(game.rom_id).unwrap().name(), game.name);
        }
        for probe in ProbeWorld::ALL {
            assert_eq!(World::resolve(probe.name()), Ok(World::Probe(probe)));
        }
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let check = |name: &str, expected: &str| match World::resolve(name) {
            Err(UnknownGame::NoSuchGame { nearest, .. }) => assert_eq!(nearest, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        };
        check("MsPackman", "MsPacman");
        check("brekout", "Breakout");
        check("ALE/Pogn-v5", "Pong");
        check("space_invader", "SpaceInvaders");
        check("probe:positon", "probe:position");
        check("MsPacman-ram-v0", "MsPacman");
        check("MsPacman-v7", "MsPacman");
        check("CartPole-v0", "CartPole");
        check("MountainCarContinuous-v0", "MountainCar");
        check("", "Et");
    }

    #[test]
    fn a_game_for_two_is_refused_with_the_reason() {
        let error = World::resolve("ALE/Combat-v5").unwrap_err();
        assert!(error.to_string().contains("two players"), "{error}");
    }
}
