//! The command line: wrong requests first.

use std::process::Stdio;

use crate::program::{Ended, Workplace};

#[test]
fn a_wrong_request_exits_with_2_and_one_error_and_writes_nothing() {
    let here = Workplace::new();
    here.write("broken.toml", "seed = 1\ngame = MsPacman\n");
    here.write("typo.toml", "game = \"Pong\"\n[a2c]\nlearnin_rate = 1e-3\n");
    here.write("type.toml", "game = \"Pong\"\n\n[env]\nn_envs = \"many\"\n");
    let files = here.names();
    let check = |words: &str, expected: &str| {
        let ended = here.rlrun(words);
        assert_eq!(ended.status, Some(2), "{words}: {ended:?}");
        assert!(ended.stderr.starts_with("error: "), "{words}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{words}: {ended:?}");
        assert_eq!(ended.stdout, "", "{words}");
        assert_eq!(here.names(), files, "{words}");
    };
    check("", "no game is named");
    check("--game MsPackman", "`MsPacman`");
    check("--game Joust", "two players");
    check("--game CartPole-v0", "`CartPole`");
    check(
        "--game CartPole --torso conv",
        "torso.kind = \"conv\" (--torso) is for pictures; CartPole takes --torso mlp",
    );
    check(
        "--game Pong --torso mlp",
        "Pong takes --torso conv or coordconv",
    );
    check("--game CartPole --preset zoo", "is for Atari games");
    check(
        "--game Pong --torso resnet",
        "[possible values: conv, coordconv, mlp]",
    );
    check(
        "--game Pong --preset fast",
        "unknown preset `fast`; did you mean `zoo`?",
    );
    check("--game Pong --steps 5", "less than one update of 80 steps");
    check(
        "--game Pong --envs 0",
        "env.n_envs = 0 (--envs) must be at least 1",
    );
    check("--game Pong --actors 3", "--actors can be 1, 2, 4, 8, 16");
    check("--game Pong --device cuda:99", "found cpu (");
    check(
        "--game Pong --torso conv --coord-radius",
        "is for --torso coordconv",
    );
    check("--game Pong --set a2c.learning_rate=-1", "must be above 0");
    check(
        "--game Pong --set a2c.lr=1",
        "did you mean `a2c.learning_rate`?",
    );
    check("--config broken.toml", "broken.toml:2: not TOML: ");
    check(
        "--config typo.toml",
        "typo.toml:3: unknown key `a2c.learnin_rate`",
    );
    check(
        "--config type.toml",
        "type.toml:4: env.n_envs must be a whole number",
    );
    check("--config none.toml", "--config none.toml: ");
    check("--resume none", "--resume none: no run folder");
    check("--resume none --seed 1", "--seed does not go with --resume");
    check("games MsPackman", "`MsPacman`");
    check("completions tcsh", "[possible values: bash,");
}

#[test]
fn a_dry_run_prints_a_plan_that_is_a_config_file_and_writes_nothing() {
    let here = Workplace::new();
    let first = here.rlrun("--game ms-pacman --torso coordconv --steps 20k --dry-run");
    assert_eq!((first.status, first.stderr.as_str()), (Some(0), ""));
    assert!(first.stdout.contains("# updates = 250 "), "{first:?}");
    assert!(first.stdout.contains("game = \"MsPacman\""), "{first:?}");
    assert!(here.names().is_empty());

    here.write("plan.toml", &first.stdout);
    let second = here.rlrun("train --config plan.toml --dry-run");
    assert_eq!(second.stdout, first.stdout);
    let longer = here.rlrun("--config plan.toml --steps 40k --dry-run");
    assert!(longer.stdout.contains("# updates = 500 "), "{longer:?}");
}

#[test]
fn help_and_version_go_to_stdout() {
    let here = Workplace::new();
    let help = here.rlrun("--help");
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    for part in [
        "What to train:",
        "Examples:",
        "rlrun --game MsPacman",
        "completions",
    ] {
        assert!(help.stdout.contains(part), "{part} in {}", help.stdout);
    }
    let version = here.rlrun("--version").stdout;
    assert_eq!(version, format!("rlrun {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn games_are_listed_and_shown_alone() {
    let here = Workplace::new();
    let all = here.rlrun("games");
    assert_eq!(all.status, Some(0));
    assert!(
        all.stdout.lines().any(|line| line.starts_with("MsPacman ")),
        "{all:?}"
    );
    let one = here.rlrun("games ALE/Breakout-v5");
    assert!(one.stdout.contains("lives    5"), "{one:?}");
    assert!(all.stdout.contains("CartPole and MountainCar"), "{all:?}");
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let here = Workplace::new();
    let mut child = here
        .command("games")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let ended = Ended::from(child.wait_with_output().expect("the program ends"));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn completions_know_options_and_their_words() {
    let here = Workplace::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = here.rlrun(&format!("completions {shell}"));
        assert_eq!(ended.status, Some(0), "{shell}");
        for word in ["torso", "coordconv", "doctor"] {
            assert!(ended.stdout.contains(word), "{word} in {shell}");
        }
    }
}

#[test]
fn doctor_finds_what_training_needs() {
    let here = Workplace::new();
    let page = here.rlrun("doctor");
    assert_eq!(page.status, Some(0), "{}", page.stdout);
    let json = here.rlrun("doctor --json").stdout;
    let findings: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let findings = findings.as_array().expect("a list");
    for what in ["libtorch", "Python", "numpy", "ale-py", "ROMs", "disk"] {
        let finding = findings.iter().find(|finding| finding["what"] == what);
        assert_eq!(finding.expect(what)["state"], "found", "{what}");
    }
    assert!(here.names().is_empty());
}

#[test]
fn doctor_names_the_command_that_mends_a_missing_python() {
    let here = Workplace::new();
    let mut command = here.command("doctor");
    let output = command.env("RLRUN_VENV", here.path()).output();
    let ended = Ended::from(output.expect("the program starts"));
    assert_eq!(ended.status, Some(1));
    assert!(ended.stdout.contains("✗ Python"), "{ended:?}");
    assert!(
        ended.stdout.contains("mend: scripts/bootstrap"),
        "{ended:?}"
    );
}
