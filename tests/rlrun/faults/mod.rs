//! Faults: whatever happens to a run, nothing is lost but the work since its last checkpoint, and it ends as if nothing had
//! happened. Short forms for every day; `scripts/soak` runs the long one.

mod clock;
mod disk;
mod ordeal;

use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use self::ordeal::{CASES, Ordeal, Tally};

/// A number that `scripts/soak` sets.
fn number(name: &str, otherwise: u64) -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no command line of its own, and no run depends on this"
    )]
    let text = std::env::var(name);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// A line of the table that `scripts/soak` prints.
#[expect(clippy::print_stdout, reason = "the test runner passes it on")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[test]
fn a_run_to_which_all_sorts_of_things_happen_ends_as_if_nothing_had() {
    let mut tally = Tally::default();
    for (seed, case) in (1..).zip(&CASES[..2]) {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ordeal::begin(case, rng).run(5, &mut tally);
    }
    say(&tally.to_string());
    assert!(tally.n_faults() >= 4, "{tally}");
}

/// Until so many kills or minutes are reached; prints a line for each run.
#[test]
#[ignore = "hours long; scripts/soak runs it"]
fn soak() {
    let (n_kills, minutes) = (number("RLRUN_KILLS", 100), number("RLRUN_MINUTES", 60));
    let seed = number("RLRUN_TRIALS_SEED", 1);
    let end = Instant::now() + Duration::from_mins(minutes);
    let mut tally = Tally::default();
    for (round, case) in (0..).zip(CASES.iter().cycle()) {
        if tally.n_kills >= n_kills || Instant::now() >= end {
            break;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(round);
        Ordeal::begin(case, rng).run(12, &mut tally);
        let words = case.words();
        say(&format!("SOAK run {}: {words} as uninterrupted", round + 1));
    }
    say(&format!("SOAK kills: {tally}"));
    disk::try_sizes(&disk::SIZES_KIB);
    assert!(tally.n_kills > 0);
}
