//! Whatever is typed or stands in a file becomes a plan or a clear refusal: no panic, nothing endless, no words of ours alone.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::config::{PRESETS, defaults};
use crate::plan::{self, AgentKind, Asked, ConfigFile, Machine};
use crate::run::trials::{mutate, trials};

const MACHINE: Machine = Machine {
    cores: 2,
    available_bytes: Some(8_000_000_000),
    cuda_devices: 0,
    multiplies_bf16: true,
};

/// Values that somebody, somewhere, has put behind an equals sign.
const VALUES: [&str; 30] = [
    "0",
    "1",
    "-1",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1_0",
    "20k",
    "1.5M",
    "0x10",
    "true",
    "\"\"",
    "\"cpu\"",
    "\"cuda:0\"",
    "\"cuda:99999999999\"",
    "\"conv\"",
    "\"Pong\"",
    "\"CartPole\"",
    "\"\u{0}\"",
    "[]",
    "[1, 2]",
    "{}",
    "{ a = 1 }",
    "1979-05-27",
    "'''x'''",
    "\u{feff}",
];

/// Words of a command line, some of which belong together.
const WORDS: [&str; 48] = [
    "train",
    "bench",
    "toy",
    "games",
    "doctor",
    "completions",
    "env",
    "infer",
    "update",
    "sweep",
    "--game",
    "--agent",
    "--torso",
    "--steps",
    "--seed",
    "--envs",
    "--actors",
    "--threads",
    "--device",
    "--replay-dir",
    "--preset",
    "--config",
    "--set",
    "--runs",
    "--name",
    "--resume",
    "--forget-replay",
    "--dry-run",
    "--quiet",
    "--serial",
    "--protocol",
    "--coord-layers",
    "--coord-radius",
    "-g",
    "-q",
    "--",
    "-",
    "--=",
    "--game=",
    "Pong",
    "dqn",
    "mlp",
    "a2c.discount=2",
    "=",
    "x=y=z",
    "env.n_envs=0",
    "/dev/null",
    "\u{1f47e}",
];

/// A refusal says something, in a few lines, and is not the debugging form of a value of ours.
fn check_refusal(said: &str, what: &str) {
    let is_clear = !said.trim().is_empty()
        && said.len() < 5_000
        && ![
            "Some(",
            "None)",
            "Err(",
            "panicked",
            "RequestError {",
            "unwrap",
        ]
        .iter()
        .any(|ours| said.contains(ours));
    assert!(is_clear, "{what:?} is refused with {said:?}");
}

/// A configuration that began as one of ours.
fn configuration(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let shipped = [defaults(AgentKind::A2c), defaults(AgentKind::Dqn)];
    let presets = PRESETS.iter().map(|preset| preset.text);
    let texts: Vec<&str> = shipped.into_iter().chain(presets).collect();
    let text = *texts.choose(rng).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    lines.insert(1, "game = \"Pong\"".to_owned());
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..lines.len());
        match rng.random_range(0..6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.swap(at, 0),
            3 => lines[at] = lines[at].replacen(['e', 'a', '_'], "x", 1),
            _ => {
                let value = VALUES.choose(rng).unwrap();
                let key = lines[at].split('=').next().unwrap_or_default();
                lines[at] = format!("{key}= {value}");
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    let mut bytes = lines.join("\n").into_bytes();
    if rng.random_range(0..4) == 0 && !bytes.is_empty() {
        mutate(&mut bytes, text.as_bytes(), rng);
    }
    bytes
}

#[test]
fn any_configuration_becomes_a_plan_or_a_clear_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fuzz.toml");
    let (n_trials, mut rng) = trials("RLRUN_CONFIGS", 300);
    let mut n_plans = 0;
    for _ in 0..n_trials {
        let bytes = configuration(&mut rng);
        std::fs::write(&path, &bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let start = Instant::now();
        let plan = ConfigFile::read(&path).and_then(|file| {
            let file = Some(file);
            plan::resolve(
                &Asked {
                    file,
                    ..Asked::default()
                },
                &MACHINE,
            )
        });
        match plan {
            // What is written down must be read again.
            Ok(plan) => {
                assert_eq!(toml::from_str::<plan::Plan>(&plan.to_toml()).unwrap(), plan);
                n_plans += 1;
            }
            Err(error) => check_refusal(&error.to_string(), &text),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{text}");
    }
    assert!(n_plans > 0 && n_plans < n_trials);
    println!(
        "SOAK configurations: {n_trials} trials, {n_plans} plans, the rest clear refusals, 0 faults"
    );
}

#[test]
fn any_command_line_is_understood_or_clearly_refused() {
    let (n_trials, mut rng) = trials("RLRUN_CONFIGS", 300);
    let mut n_understood = 0;
    for _ in 0..n_trials {
        let n_words = rng.random_range(0..9);
        let mut words: Vec<&str> = (0..n_words)
            .map(|_| {
                let pool: &[&str] = if rng.random_range(0..4) == 0 {
                    &VALUES
                } else {
                    &WORDS
                };
                *pool.choose(&mut rng).unwrap()
            })
            .collect();
        if rng.random_range(0..2) == 0 {
            words.splice(0..0, ["--game", "Pong"]);
        }
        let line = format!("{words:?}");
        let start = Instant::now();
        let all = std::iter::once("rlrun").chain(words);
        let said = match parse(all.map(OsString::from)) {
            Ok(Command::Train(args)) => args.action(&MACHINE).err().map(|error| error.to_string()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        match said {
            Some(said) => check_refusal(&said, &line),
            None => n_understood += 1,
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{line}");
    }
    assert!(n_understood > 0 && n_understood < n_trials);
    println!(
        "SOAK command lines: {n_trials} trials, {n_understood} understood, the rest clear refusals, 0 faults"
    );
}
