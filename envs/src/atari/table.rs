//! The games of ale-py 0.12.1, their actions and lives, so that nothing has to be loaded to list them.
//!
//! Opening all 104 ROMs takes 9 s (ALE computes a palette of 65,536 colours for each), and looking a name up must not
//! start Python. The ignored test `the_table_is_what_ale_says` (tests/envs) compares every row with ALE itself.

/// One game of the Atari 2600 that ALE can play with one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GameInfo {
    /// Canonical name, as in Gymnasium: `MsPacman`.
    pub name: &'static str,
    /// Name of the ROM file without `.bin`: `ms_pacman`.
    pub rom_id: &'static str,
    /// Lives at the start of a game; 0 where the game does not count lives.
    pub lives: u32,
    /// Bit i is set where the game uses action i of [`ACTION_NAMES`].
    minimal_actions: u32,
}

impl GameInfo {
    /// Number of actions in the minimal set.
    pub fn n_actions(&self) -> usize {
        self.minimal_actions.count_ones() as usize
    }

    /// Names of the actions in the minimal set: action 0, 1, ... of an environment without the full action space.
    pub fn action_names(&self) -> Vec<&'static str> {
        let is_used = |action: &usize| self.minimal_actions >> action & 1 == 1;
        (0..ACTION_NAMES.len())
            .filter(is_used)
            .map(|action| ACTION_NAMES[action])
            .collect()
    }
}

/// ALE's 18 actions, in its order.
pub(super) const ACTION_NAMES: [&str; 18] = [
    "NOOP",
    "FIRE",
    "UP",
    "RIGHT",
    "LEFT",
    "DOWN",
    "UPRIGHT",
    "UPLEFT",
    "DOWNRIGHT",
    "DOWNLEFT",
    "UPFIRE",
    "RIGHTFIRE",
    "LEFTFIRE",
    "DOWNFIRE",
    "UPRIGHTFIRE",
    "UPLEFTFIRE",
    "DOWNRIGHTFIRE",
    "DOWNLEFTFIRE",
];

/// ROMs that come with ale-py and have no mode for one player. ALE ends the process when it is asked to load one.
pub(crate) const TWO_PLAYER_ROMS: [&str; 4] = ["combat", "joust", "maze_craze", "warlords"];

/// Every playable game, sorted by ROM name.
pub fn list_games() -> &'static [GameInfo] {
    &GAMES
}

const fn game(
    name: &'static str,
    rom_id: &'static str,
    lives: u32,
    minimal_actions: u32,
) -> GameInfo {
    GameInfo {
        name,
        rom_id,
        lives,
        minimal_actions,
    }
}

const GAMES: [GameInfo; 104] = [
    game("Adventure", "adventure", 1, 0x3ffff),
    game("AirRaid", "air_raid", 1, 0x0181b),
    game("Alien", "alien", 3, 0x3ffff),
    game("Amidar", "amidar", 0, 0x03c3f),
    game("Assault", "assault", 4, 0x0181f),
    game("Asterix", "asterix", 3, 0x003fd),
    game("Asteroids", "asteroids", 4, 0x0fcff),
    game("Atlantis", "atlantis", 6, 0x01803),
    game("Atlantis2", "atlantis2", 6, 0x01803),
    game("Backgammon", "backgammon", 1, 0x0001a),
    game("BankHeist", "bank_heist", 4, 0x3ffff),
    game("BasicMath", "basic_math", 1, 0x0003f),
    game("BattleZone", "battle_zone", 5, 0x3ffff),
    game("BeamRider", "beam_rider", 3, 0x018df),
    game("Berzerk", "berzerk", 3, 0x3ffff),
    game("Blackjack", "blackjack", 1, 0x00027),
    game("Bowling", "bowling", 0, 0x02427),
    game("Boxing", "boxing", 0, 0x3ffff),
    game("Breakout", "breakout", 5, 0x0001b),
    game("Carnival", "carnival", 0, 0x0181b),
    game("Casino", "casino", 1, 0x00027),
    game("Centipede", "centipede", 3, 0x3ffff),
    game("ChopperCommand", "chopper_command", 3, 0x3ffff),
    game("CrazyClimber", "crazy_climber", 5, 0x003fd),
    game("Crossbow", "crossbow", 1, 0x3ffff),
    game("Darkchambers", "darkchambers", 1, 0x3ffff),
    game("Defender", "defender", 3, 0x3ffff),
    game("DemonAttack", "demon_attack", 1, 0x0181b),
    game("DonkeyKong", "donkey_kong", 2, 0x3ffff),
    game("DoubleDunk", "double_dunk", 0, 0x3ffff),
    game("Earthworld", "earthworld", 1, 0x3ffff),
    game("ElevatorAction", "elevator_action", 4, 0x3ffff),
    game("Enduro", "enduro", 0, 0x01b3b),
    game("Entombed", "entombed", 1, 0x3ffff),
    game("Et", "et", 3, 0x3ffff),
    game("FishingDerby", "fishing_derby", 0, 0x3ffff),
    game("FlagCapture", "flag_capture", 1, 0x3ffff),
    game("Freeway", "freeway", 0, 0x00025),
    game("Frogger", "frogger", 4, 0x0003d),
    game("Frostbite", "frostbite", 4, 0x3ffff),
    game("Galaxian", "galaxian", 4, 0x0181b),
    game("Gopher", "gopher", 3, 0x01c1f),
    game("Gravitar", "gravitar", 6, 0x3ffff),
    game("Hangman", "hangman", 1, 0x3ffff),
    game("HauntedHouse", "haunted_house", 9, 0x3ffff),
    game("Hero", "hero", 4, 0x3ffff),
    game("HumanCannonball", "human_cannonball", 1, 0x3ffff),
    game("IceHockey", "ice_hockey", 0, 0x3ffff),
    game("Jamesbond", "jamesbond", 6, 0x3ffff),
    game("JourneyEscape", "journey_escape", 0, 0x3fbfd),
    game("Kaboom", "kaboom", 1, 0x0001b),
    game("Kangaroo", "kangaroo", 3, 0x3ffff),
    game("KeystoneKapers", "keystone_kapers", 3, 0x03fff),
    game("KingKong", "king_kong", 3, 0x0003f),
    game("Klax", "klax", 1, 0x3ffff),
    game("Koolaid", "koolaid", 0, 0x003fd),
    game("Krull", "krull", 3, 0x3ffff),
    game("KungFuMaster", "kung_fu_master", 4, 0x3fb3d),
    game("LaserGates", "laser_gates", 0, 0x3ffff),
    game("LostLuggage", "lost_luggage", 3, 0x003fd),
    game("MarioBros", "mario_bros", 5, 0x3ffff),
    game("MiniatureGolf", "miniature_golf", 1, 0x3ffff),
    game("MontezumaRevenge", "montezuma_revenge", 6, 0x3ffff),
    game("MrDo", "mr_do", 4, 0x03c3f),
    game("MsPacman", "ms_pacman", 3, 0x003fd),
    game("NameThisGame", "name_this_game", 3, 0x0181b),
    game("Othello", "othello", 1, 0x003ff),
    game("Pacman", "pacman", 4, 0x0003d),
    game("Phoenix", "phoenix", 5, 0x0383b),
    game("Pitfall", "pitfall", 3, 0x3ffff),
    game("Pitfall2", "pitfall2", 1, 0x3ffff),
    game("Pong", "pong", 0, 0x0181b),
    game("Pooyan", "pooyan", 3, 0x02427),
    game("PrivateEye", "private_eye", 0, 0x3ffff),
    game("Qbert", "qbert", 4, 0x0003f),
    game("Riverraid", "riverraid", 4, 0x3ffff),
    game("RoadRunner", "road_runner", 3, 0x3ffff),
    game("Robotank", "robotank", 4, 0x3ffff),
    game("Seaquest", "seaquest", 4, 0x3ffff),
    game("SirLancelot", "sir_lancelot", 3, 0x0181b),
    game("Skiing", "skiing", 0, 0x00019),
    game("Solaris", "solaris", 3, 0x3ffff),
    game("SpaceInvaders", "space_invaders", 3, 0x0181b),
    game("SpaceWar", "space_war", 1, 0x3ffff),
    game("StarGunner", "star_gunner", 5, 0x3ffff),
    game("Superman", "superman", 1, 0x3ffff),
    game("Surround", "surround", 1, 0x0003d),
    game("Tennis", "tennis", 0, 0x3ffff),
    game("Tetris", "tetris", 0, 0x0003b),
    game("TicTacToe3D", "tic_tac_toe_3d", 1, 0x003ff),
    game("TimePilot", "time_pilot", 5, 0x03c3f),
    game("Trondead", "trondead", 5, 0x3ffff),
    game("Turmoil", "turmoil", 3, 0x01bff),
    game("Tutankham", "tutankham", 3, 0x01c3d),
    game("UpNDown", "up_n_down", 5, 0x02427),
    game("Venture", "venture", 4, 0x3ffff),
    game("VideoCheckers", "video_checkers", 1, 0x003c2),
    game("VideoChess", "video_chess", 1, 0x003ff),
    game("VideoCube", "video_cube", 1, 0x3ffff),
    game("VideoPinball", "video_pinball", 3, 0x01c3f),
    game("WizardOfWor", "wizard_of_wor", 3, 0x03c3f),
    game("WordZapper", "word_zapper", 1, 0x3ffff),
    game("YarsRevenge", "yars_revenge", 4, 0x3ffff),
    game("Zaxxon", "zaxxon", 5, 0x3ffff),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_derived_from_rom_names_as_gymnasium_does() {
        for game in list_games() {
            let mut name = String::new();
            let mut in_word = false;
            for c in game.rom_id.chars() {
                if c != '_' {
                    name.push(if in_word { c } else { c.to_ascii_uppercase() });
                }
                in_word = c.is_ascii_alphabetic();
            }
            assert_eq!(game.name, name);
        }
    }

    #[test]
    fn rows_are_sorted_and_have_actions() {
        assert!(
            list_games()
                .windows(2)
                .all(|pair| pair[0].rom_id < pair[1].rom_id)
        );
        assert!(list_games().iter().all(|game| game.n_actions() >= 3));
        let pacman = list_games()
            .iter()
            .find(|game| game.name == "MsPacman")
            .unwrap();
        assert_eq!(
            pacman.action_names()[..5],
            ["NOOP", "UP", "RIGHT", "LEFT", "DOWN"]
        );
        assert_eq!((pacman.n_actions(), pacman.lives), (9, 3));
    }
}
