//! What a sweep file and options come to.

use super::*;

const MACHINE: Machine = Machine {
    cores: 16,
    available_bytes: None,
    cuda_devices: 0,
    multiplies_bf16: true,
};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn options(games: &[&str]) -> GridOptions {
    GridOptions {
        games: Some(words(games)),
        ..GridOptions::default()
    }
}

fn labels(files: &[&str], options: &GridOptions) -> Result<Vec<String>, String> {
    let files = files.iter().zip(1..).map(|(text, number)| {
        SweepFile::parse(&format!("{number}.toml"), text).map_err(|error| error.to_string())
    });
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let runs = expand(&files, options, &MACHINE).map_err(|error| error.to_string())?;
    Ok(runs.iter().map(GridRun::label).collect())
}

#[test]
fn every_combination_is_there_once_with_the_seeds_outermost() {
    let found = labels(
        &["games = [\"ms_pacman\", \"Pong\", \"MsPacman\"]\nseeds = \"1-2\"\ntag = \"t\"\n"],
        &GridOptions::default(),
    );
    let expected = [1, 2].map(|seed| {
        ["MsPacman", "Pong"].map(|game| {
            ["conv", "coordconv"].map(|torso| format!("{game}/a2c-{torso}/t-seed{seed}"))
        })
    });
    assert_eq!(found.unwrap(), expected.concat().concat());
}

#[test]
fn every_shipped_sweep_can_be_planned() {
    for (name, n_runs) in [("small", 12), ("coordconv-9-games", 54)] {
        let file = SweepFile::read(std::path::Path::new(name)).unwrap();
        let runs = expand(&[file], &GridOptions::default(), &MACHINE).unwrap();
        assert_eq!(runs.len(), n_runs, "{name}");
    }
}

#[test]
fn options_win_over_the_file_and_a_classic_has_its_own_torso() {
    let file =
        "games = [\"Pong\"]\ntorsos = [\"conv\"]\nagent = \"a2c\"\nsteps = 1_000\nseeds = [3]\n";
    let options = GridOptions {
        games: Some(words(&["Breakout"])),
        torsos: Some(words(&["coordconv"])),
        agent: Some("dqn".to_owned()),
        steps: Some(300_000),
        ..GridOptions::default()
    };
    assert_eq!(
        labels(&[file], &options).unwrap(),
        ["Breakout/dqn-coordconv/seed3"]
    );
    let found = labels(&[], &self::options(&["CartPole", "Pong"]));
    let expected = [
        "CartPole/a2c-mlp/seed1",
        "Pong/a2c-conv/seed1",
        "Pong/a2c-coordconv/seed1",
    ];
    assert_eq!(found.unwrap(), expected);
}

#[test]
fn a_run_has_two_workers_whatever_the_machine_and_what_is_set_is_kept() {
    let file = "games = [\"Pong\"]\ntorsos = [\"conv\"]\n[set]\na2c.learning_rate = 1e-3\n\"env.n_envs\" = 8\n";
    let file = SweepFile::parse("s.toml", file).unwrap();
    let options = GridOptions {
        sets: vec!["a2c.discount=0.9".to_owned()],
        ..GridOptions::default()
    };
    let runs = expand(&[file], &options, &MACHINE).unwrap();
    let plan = &runs[0].plan;
    assert_eq!((plan.learner.threads, plan.env.env_threads), (2, 1));
    assert_eq!(plan.env.n_envs, 8);
    let toml = plan.to_toml();
    assert!(
        toml.contains("learning_rate = 0.001") && toml.contains("discount = 0.9"),
        "{toml}"
    );
}

#[test]
fn what_cannot_be_planned_is_refused_with_the_option_or_line_that_says_it() {
    let check = |files: &[&str], options: &GridOptions, expected: &str| {
        let error = labels(files, options).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let none = GridOptions::default();
    check(&[], &none, "no games are named");
    let of_set = GridOptions {
        sets: vec!["seed = 3".to_owned()],
        ..options(&["Pong"])
    };
    check(
        &[],
        &of_set,
        "seed is decided by the grid: say it with --seeds",
    );
    check(&[], &options(&["Pongg"]), "--games: unknown game \"Pongg\"");
    check(
        &["seeds = [1]\ngames = [\n\"Pongg\"]\n"],
        &none,
        "1.toml:2: unknown game \"Pongg\"",
    );
    check(&["games = []\n"], &none, "1.toml:1: games is an empty list");
    check(
        &["games = [\"Pong\"]\ntorsos = []\n"],
        &none,
        "1.toml:2: torsos is an empty list",
    );
    check(
        &["games = [\"Pong\"]\ntorsos = [\"cnn\"]\n"],
        &none,
        "1.toml:2: torso.kind: unknown variant `cnn`",
    );
    check(
        &["games = [\"CartPole\"]\n\ntorsos = [\"conv\"]\n"],
        &none,
        "torso.kind = \"conv\" (1.toml:3) is for pictures; CartPole takes --torso mlp",
    );
    check(
        &["games = [\"Pong\"]\nagent = \"ppo\"\n"],
        &none,
        "1.toml:2: unknown agent \"ppo\"",
    );
    check(
        &["games = [\"Pong\"]\nsteps = 5\n"],
        &none,
        "total_steps = 5 (1.toml:2) is less than one update",
    );
    check(
        &["games = [\"Pong\"]\n[set]\na2c.discount = 0.9\na2c.learning_rat = 1.0\n"],
        &none,
        "1.toml:4: unknown key `a2c.learning_rat`; did you mean `a2c.learning_rate`?",
    );
    check(
        &["games = [\"Pong\"]\ntag = \"a/b\"\n"],
        &none,
        "1.toml:2: tag `a/b`: a tag is made of",
    );
    check(
        &["games = [\"Pong\"]\nseeds = \"1-9999\"\n"],
        &none,
        "19998 runs are more than the 2000",
    );
    check(
        &[
            "games = [\"Pong\"]\nsteps = 1_000\n",
            "games = [\"Pong\"]\nsteps = 2_000\n",
        ],
        &none,
        "two plans for Pong/a2c-conv/seed1, which differ in total_steps = 1000 in the one and 2000 in the other",
    );
}
