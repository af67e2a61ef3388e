//! For tests with chance in them: how often they try, what they try, and what they did with a file.

use std::env;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The number of trials that the variable `name` asks for, or a few, and the chance that decides them. `scripts/soak` asks for many.
pub(crate) fn trials(name: &str, few: u64) -> (u64, ChaCha8Rng) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no command line of its own, and no run depends on this"
    )]
    let number = |name: &str, otherwise| match env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => otherwise,
    };
    let seed = number("RLRUN_TRIALS_SEED", 1);
    (number(name, few), ChaCha8Rng::seed_from_u64(seed))
}

/// Does something to the bytes of a file that a disk, a program or a person may do, and says what. `other` are those of another
/// file of the kind.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) -> String {
    let n = bytes.len();
    let place = |rng: &mut ChaCha8Rng| rng.random_range(0..n);
    match rng.random_range(0..8) {
        0 => {
            let (at, bit) = (place(rng), rng.random_range(0..8));
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} turned over")
        }
        1 => {
            let at = place(rng);
            let end = n.min(at + rng.random_range(1..64));
            rng.fill(&mut bytes[at..end]);
            format!("bytes {at} to {end} at random")
        }
        2 => {
            bytes.truncate(place(rng));
            format!("cut off at {}", bytes.len())
        }
        3 => {
            let more: Vec<u8> = (0..rng.random_range(1..5_000))
                .map(|_| rng.random())
                .collect();
            bytes.extend(&more);
            format!("{} bytes too many", more.len())
        }
        4 => {
            let at = place(rng) / 512 * 512;
            let end = n.min(at + 4_096);
            bytes[at..end].fill(0);
            format!("zeros from {at} to {end}")
        }
        5 => {
            let (a, b) = (place(rng) / 512 * 512, place(rng) / 512 * 512);
            for i in 0..512.min(n - a.max(b)) {
                bytes.swap(a + i, b + i);
            }
            format!("sectors at {a} and {b} exchanged")
        }
        6 => {
            let at = place(rng).min(other.len());
            bytes.truncate(at);
            bytes.extend(&other[at..]);
            format!("another file from {at} on")
        }
        _ => {
            bytes[0..n.min(16)].fill(rng.random());
            "another beginning".to_owned()
        }
    }
}
