//! How long checkpoints and batches of a large file take. Not run by default.
//!
//! Both residences are measured twice, in turn: on a virtual machine, whoever touches memory first pays for it (1.7 s
//! instead of 0.3 s for the first checkpoint of 0.7 GB), so only second times can be compared. Files are read from the
//! page cache.

use std::time::Instant;

use super::*;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let value = work();
    println!("{what}: {:?}", started.elapsed());
    value
}

/// Prints what filling, saving, opening and sampling take with `capacity` transitions of Atari.
fn measure(capacity: usize, residence: Residence) {
    let shape = ReplayShape {
        n_envs: 8,
        capacity,
        slack: 2_500,
        late: 8,
        frame_len: 84 * 84,
        stack: 4,
        n_step: 1,
        discount: 0.99,
    };
    println!("{residence:?}, {} bytes", file_bytes(&shape));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let contents = contents(shape, residence);
    let (mut file, mut memory) = timed("create", || create(&path, &contents));
    assert!(file.is_reserved());
    let frame = vec![0x5a; shape.frame_len];
    let push = |memory: &mut Replay, n: usize| {
        for t in 0..n {
            let step = Step {
                action: 1,
                reward: 1.0,
                ending: Ending::None,
                next_frame: &frame,
            };
            memory.push(t % 8, &step);
        }
    };
    timed("fill", || push(&mut memory, capacity));
    timed("first checkpoint", || save(&mut file, &mut memory));
    push(&mut memory, 10_000);
    let saved = timed("checkpoint 10,000 steps later", || {
        save(&mut file, &mut memory)
    });
    push(&mut memory, 10_000);
    drop((file, memory));
    let (_file, memory) = timed("open", || open(&path, &contents, &saved).unwrap());
    let mut batch = ReplayBatch::new(32, shape.obs_len());
    let mut rng = rng(1);
    timed("2,000 batches of 32", || {
        for _ in 0..2_000 {
            memory.sample_uniform(&mut rng, &mut batch).unwrap();
        }
    });
}

#[test]
#[ignore = "prints times and writes 0.8 GB four times; cargo test --release -p rlrun replay_file -- --ignored --nocapture --test-threads 1"]
fn a_file_of_a_hundred_thousand_transitions() {
    for residence in RESIDENCES.into_iter().chain(RESIDENCES) {
        measure(100_000, residence);
    }
}

#[test]
#[ignore = "prints times and writes 7.2 GB four times"]
fn a_file_of_a_million_transitions() {
    for residence in RESIDENCES.into_iter().chain(RESIDENCES) {
        measure(1_000_000, residence);
    }
}
