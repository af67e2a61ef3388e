//! One run to which things happen at random moments, beside its uninterrupted twin.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::clock::Jumps;
use crate::exact::{OFTEN, outcome};
use crate::program::{Ended, Workplace};
use crate::resume::{checkpoints_of, signal, step_of};

/// What is trained.
pub(super) struct Case {
    words: &'static str,
    folder: &'static str,
    /// The longest time until the next thing happens, milliseconds.
    patience: u64,
}

/// Runs of seconds of both agents, the quickest first.
pub(super) const CASES: &[Case] = &[
    Case {
        words: "--game probe:lives --steps 40k",
        folder: "probe:lives/a2c-conv",
        patience: 3_000,
    },
    Case {
        words: "--game probe:lives --agent dqn --envs 2 --threads 1 --set dqn.batch_size=4 --replay-dir . \
                --set dqn.learning_starts_steps=400 --set dqn.replay_capacity=3000 --steps 16k",
        folder: "probe:lives/dqn-conv",
        patience: 3_000,
    },
    Case {
        words: "--game Pong --steps 2k --envs 4",
        folder: "Pong/a2c-conv",
        patience: 6_000,
    },
    Case {
        words: "--game probe:position --torso coordconv --steps 30k --set eval.interval_steps=400",
        folder: "probe:position/a2c-coordconv",
        patience: 3_000,
    },
    Case {
        words: "--game Pong --agent dqn --steps 2k --set dqn.learning_starts_steps=500 --set dqn.replay_capacity=1000 \
                --set dqn.batch_size=8 --set dqn.prioritized=true",
        folder: "Pong/dqn-conv",
        patience: 6_000,
    },
    Case {
        words: "--game probe:lives --agent dqn --steps 10k --threads 1 --set dqn.batch_size=8 --set dqn.n_step=3 \
                --set dqn.learning_starts_steps=400 --set dqn.replay_capacity=2000 --set eval.interval_steps=500",
        folder: "probe:lives/dqn-conv",
        patience: 3_000,
    },
    #[cfg(feature = "classic")]
    Case {
        words: "--game CartPole --agent dqn --steps 12k",
        folder: "CartPole/dqn-mlp",
        patience: 3_000,
    },
    #[cfg(feature = "classic")]
    Case {
        words: "--game CartPole --steps 60k",
        folder: "CartPole/a2c-mlp",
        patience: 3_000,
    },
];

/// What happened.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "counts begin with n")]
pub(super) struct Tally {
    pub(super) n_kills: u64,
    n_stops: u64,
    n_suspensions: u64,
    n_moves: u64,
    n_damaged: u64,
    n_clocks: u64,
    n_runs: u64,
}

/// A run and its twin.
pub(super) struct Ordeal<'a> {
    case: &'a Case,
    rng: ChaCha8Rng,
    here: Workplace,
    expected: ([String; 3], Vec<u8>),
    jumps: Option<Jumps>,
    /// Where the run's folder is now.
    run: String,
    /// What is typed next.
    next: String,
}

impl Case {
    pub(super) fn words(&self) -> &str {
        self.words
    }
}

impl Tally {
    /// All that happened.
    pub(super) fn n_faults(&self) -> u64 {
        self.n_kills + self.n_stops + self.n_suspensions + self.n_moves + self.n_damaged
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs, {} kills, {} stops, {} suspensions, {} moves of the folder, {} damaged checkpoints, {} starts with a \
             clock that jumps; 0 losses beyond the last checkpoint, all ends bit for bit",
            self.n_runs,
            self.n_kills,
            self.n_stops,
            self.n_suspensions,
            self.n_moves,
            self.n_damaged,
            self.n_clocks
        )
    }
}

impl<'a> Ordeal<'a> {
    /// Trains the twin.
    pub(super) fn begin(case: &'a Case, rng: ChaCha8Rng) -> Self {
        let here = Workplace::new();
        let words = format!("{OFTEN} {}", case.words);
        let ended = here.rlrun(&format!("{words} --name whole"));
        let expected = outcome(&here, &format!("runs/{}/whole", case.folder), &ended);
        Self {
            jumps: Jumps::compile(here.path()),
            run: format!("runs/{}/cut", case.folder),
            next: format!("{words} --name cut"),
            case,
            rng,
            here,
            expected,
        }
    }

    /// Lets up to `n` things happen, then lets the run come to its end and compares it.
    pub(super) fn run(mut self, n: usize, tally: &mut Tally) {
        for number in 0..n {
            let newest = self.newest();
            let child = self.start(tally);
            if !self.let_something_happen(child, tally) {
                break;
            }
            assert!(
                self.newest() >= newest,
                "a checkpoint is gone after {number}"
            );
            if newest.is_some() || self.newest().is_some() {
                self.next = format!("--resume {} --quiet", self.run);
                self.between_starts(tally);
            } else {
                // Nothing to go on from yet: what there is of it goes away.
                let _ = fs::remove_dir_all(self.here.path().join(&self.run));
            }
        }
        let ended = self.here.rlrun(&self.next);
        let got = outcome(&self.here, &self.run, &ended);
        assert!(
            got == self.expected,
            "{}: {:?}\ninstead of {:?}; recorders are equal: {}",
            self.case.words,
            got.0,
            self.expected.0,
            got.1 == self.expected.1
        );
        tally.n_runs += 1;
    }

    /// Starts the run, now and then with a clock that jumps.
    fn start(&mut self, tally: &mut Tally) -> Child {
        let mut command = self.here.command(&self.next);
        if let Some(jumps) = self
            .jumps
            .as_ref()
            .filter(|_| self.rng.random_range(0..3) == 0)
        {
            jumps.apply_to(&mut command);
            tally.n_clocks += 1;
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Waits for a random time, and ends the process in some way. False if the run was over before.
    fn let_something_happen(&mut self, mut child: Child, tally: &mut Tally) -> bool {
        let pause = |millis: u64| park_timeout(Duration::from_millis(millis));
        let wait = self.rng.random_range(0..self.case.patience);
        pause(wait);
        if self.rng.random_range(0..4) == 0 && child.try_wait().expect("a child").is_none() {
            signal(&child, "-STOP");
            pause(1_500);
            signal(&child, "-CONT");
            pause(self.rng.random_range(0..200));
            tally.n_suspensions += 1;
        }
        if child.try_wait().expect("a child").is_some() {
            let ended = Ended::from(child.wait_with_output().expect("it ended"));
            assert_eq!(ended.status, Some(0), "{}: {ended:?}", self.next);
            self.next = format!("--resume {} --quiet", self.run);
            return false;
        }
        if self.rng.random_range(0..4) > 0 {
            child.kill().expect("it can be killed");
            child.wait().expect("it is dead");
            tally.n_kills += 1;
        } else {
            signal(&child, "-TERM");
            let start = Instant::now();
            let ended = Ended::from(child.wait_with_output().expect("it ends"));
            // Before its handlers stand, the signal does what it does by default: no status.
            assert!(matches!(ended.status, Some(0) | None), "{ended:?}");
            assert!(start.elapsed() < Duration::from_mins(1), "{ended:?}");
            tally.n_stops += 1;
        }
        true
    }

    /// Moves the folder, or damages the newest of several checkpoints, now and then.
    fn between_starts(&mut self, tally: &mut Tally) {
        if self.rng.random_range(0..4) == 0 {
            let to = format!("moved-{}", self.rng.random_range(0..1_000_000));
            let paths = [&self.run, &to].map(|name| self.here.path().join(name));
            fs::rename(&paths[0], &paths[1]).expect("it can be moved");
            self.run = to;
            self.next = format!("--resume {} --quiet", self.run);
            tally.n_moves += 1;
        }
        let checkpoints = self.checkpoints();
        if checkpoints.len() > 1 && self.rng.random_range(0..4) == 0 {
            let newest = checkpoints.last().expect("several");
            let mut bytes = fs::read(newest).expect("it is readable");
            let at = self.rng.random_range(0..bytes.len());
            bytes[at] ^= 1;
            fs::write(newest, bytes).expect("it is writable");
            tally.n_damaged += 1;
            let said = self.here.rlrun(&format!("--resume {} --dry-run", self.run));
            assert_eq!(said.status, Some(2), "{said:?}");
        }
    }

    fn checkpoints(&self) -> Vec<PathBuf> {
        checkpoints_of(&self.here, &self.run)
    }

    fn newest(&self) -> Option<u64> {
        self.checkpoints().last().map(|path| step_of(path))
    }
}
