//! A disk that is full, at whatever is being written: small file systems in memory, made larger before the run goes on.

use std::process::{Command, Stdio};

use crate::exact::{OFTEN, outcome};
use crate::program::{Ended, Workplace};

/// Sizes of the disk, KiB: too small for anything, for a plan, for a checkpoint, for the second; for the replay memory, whose
/// 14 MB are refused beforehand, for the first checkpoint beside it, for the second, and for the last.
pub(super) const SIZES_KIB: [u64; 18] = [
    4, 12, 40, 100, 400, 1_000, 1_600, 2_400, 3_600, 5_000, 7_000, 12_000, 14_050, 14_500, 16_000,
    17_500, 19_500, 21_500,
];

/// The words of a run, and its folder.
const RUNS: [[&str; 2]; 3] = [
    ["--game probe:lives --steps 12k", "probe:lives/a2c-conv"],
    [
        "--game probe:lives --agent dqn --envs 2 --threads 1 --set dqn.batch_size=4 --set dqn.learning_starts_steps=400 \
         --set dqn.replay_capacity=1000 --steps 2k",
        "probe:lives/dqn-conv",
    ],
    [
        "--game probe:lives --agent dqn --envs 2 --threads 1 --set dqn.batch_size=4 --set dqn.learning_starts_steps=400 \
         --set dqn.replay_capacity=1000 --steps 2k --replay-dir .",
        "probe:lives/dqn-conv",
    ],
];

/// Runs on a disk of `$1` KiB, makes it larger, and goes on if there is something to go on from.
const SCRIPT: &str = r#"
mkdir -p disk && mount -t tmpfs -o size="$1"k tmpfs disk || exit 77
cd disk
timeout 120 $2 $3 --name cut; first=$?
mount -o remount,size=400m "$OLDPWD/disk"
run=runs/$4/cut
ls "$run"/checkpoints/step-*.safetensors >/dev/null 2>&1; has_checkpoint=$?
if [ "$has_checkpoint" -eq 0 ]; then
    timeout 120 $2 --resume "$run" --quiet; second=$?
    mkdir -p "$OLDPWD/$run" && cp "$run"/*.csv "$run"/recorder.bin "$OLDPWD/$run" 2>/dev/null
fi
echo "ended $first ${second:-none}"
"#;

/// Tries the runs on disks of these sizes. Where file systems cannot be mounted without rights, says so.
pub(super) fn try_sizes(sizes_kib: &[u64]) {
    for [words, folder] in RUNS {
        let twin = Workplace::new();
        let ended = twin.rlrun(&format!("{words} {OFTEN} --name whole"));
        let expected = outcome(&twin, &format!("runs/{folder}/whole"), &ended);
        let mut endings = Vec::new();
        for size in sizes_kib {
            let here = Workplace::new();
            let words = format!("{words} {OFTEN}");
            let mut command = Command::new("unshare");
            command.args(["-rm", "sh", "-c", SCRIPT, "sh", &size.to_string()]);
            command.args([env!("CARGO_BIN_EXE_rlrun"), &words, folder]);
            command.current_dir(here.path()).stdin(Stdio::null());
            let ended = command.output().map(Ended::from);
            let ended = match ended {
                Ok(ended) if ended.stdout.contains("ended ") => ended,
                other => {
                    super::say(&format!(
                        "SKIPPED: no file system can be mounted here: {other:?}"
                    ));
                    return;
                }
            };
            let status = ended.stdout.lines().last().expect("a line").to_owned();
            // Done, failed or refused, but no panic, signal or hang.
            let is_sound = ["ended 0 0", "ended 1 0", "ended 1 none", "ended 2 none"];
            assert!(is_sound.contains(&&*status), "{size} KiB: {ended:?}");
            assert!(!ended.stderr.contains("panicked"), "{size} KiB: {ended:?}");
            if status.starts_with("ended 2") {
                assert!(ended.stderr.starts_with("error: "), "{size} KiB: {ended:?}");
            }
            if status.ends_with('0') {
                let second = Ended {
                    status: Some(0),
                    ..ended
                };
                let got = outcome(&here, &format!("runs/{folder}/cut"), &second);
                assert_eq!(got.0, expected.0, "{size} KiB");
                // Blocks that it could not write are not made up for, but it goes on.
                assert!(!got.1.is_empty(), "{size} KiB: no flight recorder");
            }
            endings.push(format!("{size}: {}", &status["ended ".len()..]));
        }
        super::say(&format!(
            "SOAK full disk: {words}: {} (KiB: first and second status)",
            endings.join(", ")
        ));
    }
}

#[test]
fn a_run_on_a_disk_that_is_too_small_is_refused_or_warns_and_goes_on_when_there_is_room() {
    try_sizes(&[12, 1_600, 17_500]);
}
