//! A build without gym-rs knows the names, and says what is missing.

use rlrun_envs::{ClassicGame, ProtocolName, make};

use crate::setup::config;

#[test]
fn a_classic_that_is_not_built_in_is_named_with_what_gets_it() {
    for game in ClassicGame::ALL {
        let made = make(&config(game.name(), ProtocolName::Gym, 2));
        let error = made.map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(game.name()), "{error}");
        assert!(
            error.contains("sudo apt install libsdl2-gfx-dev"),
            "{error}"
        );
        assert!(error.contains("./rlrun"), "{error}");
    }
}
