//! Whatever happens to the files, the newest valid state is loaded, as it was saved, and the rest is named.

use super::*;
use crate::run::checkpoint::weights_sha256;
use crate::run::trials::{mutate, trials};

#[test]
fn files_that_were_changed_at_random_are_never_taken_for_what_they_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let steps = [10, 20, 30];
    save_all(dir.path(), &steps, 3);
    let paths = steps.map(|step| dir.path().join(file_name(step)));
    let originals = paths.each_ref().map(|path| fs::read(path).unwrap());
    let expected = weights_sha256(&checkpoint(0).tensors).unwrap();
    let (n_trials, mut rng) = trials("RLRUN_MUTATIONS", 30);
    let (mut n_passed_over, mut n_refused) = (0, 0);
    for trial in 0..n_trials {
        // One, two or all of them, the newest first.
        let n_changed = 1 + usize::try_from(trial % 3).unwrap();
        let mut said = Vec::new();
        for (path, bytes) in paths.iter().zip(&originals).rev().take(n_changed) {
            let mut bytes = bytes.clone();
            said.push(mutate(&mut bytes, &originals[0], &mut rng));
            fs::write(path, bytes).unwrap();
        }
        match load_newest::<u64>(dir.path()) {
            Ok(loaded) => {
                let found = &loaded.checkpoint;
                // Its number is in it, whatever its name is.
                assert!(steps.contains(&found.step), "{said:?}");
                assert_eq!(found.meta, found.step, "{said:?}");
                let hash = weights_sha256(&found.tensors).unwrap();
                assert_eq!(hash, expected, "trial {trial}: {said:?}");
                assert!(loaded.rejected.len() <= n_changed, "{said:?}");
                n_passed_over += loaded.rejected.len();
            }
            Err(LoadError::AllRejected { rejected, .. }) => {
                assert_eq!((rejected.len(), n_changed), (3, 3), "{said:?}");
                n_refused += 1;
            }
            Err(error) => panic!("trial {trial}: {said:?}: {error}"),
        }
        for (path, bytes) in paths.iter().zip(&originals) {
            fs::write(path, bytes).unwrap();
        }
    }
    assert!(n_passed_over > 0 && n_refused > 0);
    println!(
        "SOAK checkpoints: {n_trials} trials, {n_passed_over} files passed over, {n_refused} refusals, 0 faults"
    );
}
