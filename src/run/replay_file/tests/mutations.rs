//! Whatever happens to the file, it is refused, or all that was vouched for is as it was.

use super::*;
use crate::run::trials::{mutate, trials};

#[test]
fn files_that_were_changed_at_random_are_refused_or_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (n_trials, mut rng) = trials("RLRUN_MUTATIONS", 30);
    for residence in RESIDENCES {
        let path = dir.path().join(format!("{residence:?}"));
        let saved = saved_file(&path, SHAPE, residence);
        let contents = contents(SHAPE, residence);
        let original = fs::read(&path).unwrap();
        let other_path = dir.path().join(format!("other-{residence:?}"));
        saved_file(&other_path, SHAPE, residence);
        let mut other = fs::read(&other_path).unwrap();
        other.reverse();
        let vouched: Vec<_> = saved.voucher.bytes(&SHAPE).collect();
        let (mut n_refused, mut n_as_before) = (0, 0);
        for trial in 0..n_trials {
            let mut bytes = original.clone();
            let said = mutate(&mut bytes, &other, &mut rng);
            fs::write(&path, &bytes).unwrap();
            match open(&path, &contents, &saved) {
                Err(_) => n_refused += 1,
                Ok((_, memory)) => {
                    for range in &vouched {
                        let was = &original[4_096 + range.start..4_096 + range.end];
                        let is = &memory.bytes()[range.clone()];
                        assert!(is == was, "trial {trial}: {said}");
                    }
                    n_as_before += 1;
                }
            }
        }
        assert!(n_refused > 0);
        println!(
            "SOAK replay file {residence:?}: {n_trials} trials, {n_refused} refused, {n_as_before} as before, 0 faults"
        );
    }
}
