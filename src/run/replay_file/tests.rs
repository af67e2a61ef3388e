//! A memory comes back from its file as its checkpoint knew it, or not at all.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rlrun_agents::replay::{Ending, Prioritization, ReplayBatch, Step};
use rlrun_agents::stream::{Consumer, stream};

use super::*;

mod damage;
mod mutations;
mod speed;

const RESIDENCES: [Residence; 2] = [Residence::InMemory, Residence::Mapped];

/// Two lanes whose windows are a little longer than a block of checksums.
const SHAPE: ReplayShape = ReplayShape {
    n_envs: 2,
    capacity: 600,
    slack: 50,
    late: 3,
    frame_len: 3,
    stack: 4,
    n_step: 3,
    discount: 0.5,
};

/// So few bytes that each of them can be damaged.
const TINY: ReplayShape = ReplayShape {
    capacity: 12,
    slack: 4,
    late: 1,
    frame_len: 2,
    stack: 2,
    n_step: 1,
    ..SHAPE
};

fn contents(shape: ReplayShape, residence: Residence) -> Contents<'static> {
    Contents {
        identity: "MsPacman, protocol machado",
        shape,
        residence,
    }
}

fn rng(key: u64) -> ChaCha8Rng {
    stream(key, Consumer::Replay, 0, 0)
}

fn memory(shape: ReplayShape, region: Box<dyn Region>) -> Replay {
    let prioritization = Prioritization {
        alpha: 0.6,
        epsilon: 1e-6,
    };
    Replay::new(shape, region, Some(prioritization)).unwrap()
}

/// Makes a file and a memory in which a game has begun in every environment.
fn create(path: &Path, contents: &Contents<'_>) -> (ReplayFile, Replay) {
    let (file, region) = ReplayFile::create(path, contents).unwrap();
    let mut memory = memory(contents.shape, region);
    let frame = vec![0xff; contents.shape.frame_len];
    (0..contents.shape.n_envs).for_each(|env| memory.begin(env, &frame));
    (file, memory)
}

/// A checkpoint: what is saved of the memory beside its file.
#[derive(Clone)]
struct Saved {
    voucher: Voucher,
    priorities: Vec<f32>,
}

fn save(file: &mut ReplayFile, memory: &mut Replay) -> Saved {
    let voucher = file.save(memory).unwrap();
    memory.vouch();
    Saved {
        voucher,
        priorities: memory.priorities().to_vec(),
    }
}

fn open(
    path: &Path,
    contents: &Contents<'_>,
    saved: &Saved,
) -> Result<(ReplayFile, Replay), ReplayFileError> {
    let (file, region) = ReplayFile::open(path, contents, &saved.voucher)?;
    let memory = memory(contents.shape, region);
    let memory = memory.resumed(&saved.voucher.state, &saved.priorities);
    Ok((file, memory.unwrap()))
}

/// A random step in one environment; one in ten ends a game or a life.
fn step(memory: &mut Replay, rng: &mut impl Rng) {
    let frame_len = memory.shape().frame_len;
    let mut frame = || -> Vec<u8> { (0..frame_len).map(|_| rng.random()).collect() };
    let (next_frame, final_frame) = (frame(), frame());
    let step = Step {
        action: rng.random(),
        reward: rng.random(),
        ending: match rng.random_range(0..30) {
            0 => Ending::LifeLost,
            1 => Ending::GameOver,
            2 => Ending::Truncated {
                final_frame: &final_frame,
            },
            _ => Ending::None,
        },
        next_frame: &next_frame,
    };
    memory.push(rng.random_range(0..memory.shape().n_envs), &step);
}

fn steps(memory: &mut Replay, rng: &mut impl Rng, n: usize) {
    (0..n).for_each(|_| step(memory, rng));
}

/// What the memory gives under fixed streams, and how it learns from it.
fn samples(memory: &mut Replay) -> Vec<ReplayBatch> {
    let mut batches = Vec::new();
    for update in 0..10 {
        let mut rng = stream(9, Consumer::Replay, update, 0);
        let mut batch = ReplayBatch::new(8, memory.shape().obs_len());
        memory.sample_uniform(&mut rng, &mut batch).unwrap();
        batches.push(batch.clone());
        let sampled = memory.sample_prioritized(&mut rng, 0.4, &mut batch);
        sampled.unwrap();
        let updated = memory.update_priorities(&batch.slot, &[0.25; 8]);
        updated.unwrap();
        batches.push(batch);
    }
    batches
}

/// A file of `shape` that was saved in the middle of things.
fn saved_file(path: &Path, shape: ReplayShape, residence: Residence) -> Saved {
    let (mut file, mut memory) = create(path, &contents(shape, residence));
    steps(&mut memory, &mut rng(3), 10 * shape.capacity);
    save(&mut file, &mut memory)
}

#[test]
fn a_killed_run_goes_on_from_its_checkpoint_as_if_nothing_had_followed() {
    let dir = tempfile::tempdir().unwrap();
    // Few seeds: each checkpoint waits for the disk.
    for (key, residence) in (0..6).flat_map(|key| RESIDENCES.map(|r| (key, r))) {
        let path = dir.path().join(format!("{residence:?}-{key}"));
        let contents = contents(SHAPE, residence);
        let mut rng = rng(key);
        let (mut file, mut memory) = create(&path, &contents);
        for _ in 0..rng.random_range(1..40) {
            // A checkpoint in time, as its owner has to see to it.
            while memory.slots_left().is_none_or(|left| left > 2) && rng.random_range(0..90) > 0 {
                step(&mut memory, &mut rng);
            }
            save(&mut file, &mut memory);
        }
        let saved = save(&mut file, &mut memory);
        let copy = Box::new(memory.bytes().to_vec());
        let mut expected = self::memory(SHAPE, copy)
            .resumed(&saved.voucher.state, &saved.priorities)
            .unwrap();
        while memory.slots_left().unwrap() >= 2 {
            step(&mut memory, &mut rng);
        }
        // No checkpoint any more: the process is gone.
        drop((file, memory));

        let (mut file, mut memory) = open(&path, &contents, &saved).unwrap();
        assert_eq!(memory.state(), expected.state());
        if memory.n_samplable() > 0 {
            assert_eq!(samples(&mut memory), samples(&mut expected));
        }
        // And it goes on: with the next checkpoint, a second kill and another residence.
        steps(&mut memory, &mut rng, 20);
        let saved = save(&mut file, &mut memory);
        let state = memory.state();
        drop((file, memory));
        for residence in RESIDENCES {
            let contents = Contents {
                residence,
                ..contents
            };
            let (_, memory) = open(&path, &contents, &saved).unwrap();
            assert_eq!(memory.state(), state);
        }
    }
}

#[test]
fn both_residences_give_the_same_vouchers_and_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let [in_memory, mapped] = RESIDENCES.map(|residence| {
        let path = dir.path().join(format!("{residence:?}"));
        let (mut file, mut memory) = create(&path, &contents(SHAPE, residence));
        let mut rng = rng(5);
        let mut vouchers = Vec::new();
        for _ in 0..30 {
            steps(&mut memory, &mut rng, 40);
            vouchers.push(save(&mut file, &mut memory).voucher);
        }
        let bytes = fs::read(&path).unwrap();
        let region = usize::try_from(HEADER_LEN).unwrap();
        let last = vouchers.last().unwrap();
        let vouched = last
            .bytes(&SHAPE)
            .flat_map(|range| bytes[region + range.start..region + range.end].to_vec());
        let vouched: Vec<u8> = vouched.collect();
        (vouchers, bytes[..region].to_vec(), vouched)
    });
    assert_eq!(in_memory, mapped);
}

#[test]
fn a_voucher_that_takes_over_old_checksums_is_the_one_that_computes_them_all() {
    let dir = tempfile::tempdir().unwrap();
    let contents = contents(SHAPE, Residence::InMemory);
    let (_file, mut memory) = create(&dir.path().join("replay"), &contents);
    let mut rng = rng(6);
    let mut older: Option<Voucher> = None;
    for _ in 0..200 {
        let voucher = Voucher::of(&memory, older.as_ref());
        assert_eq!(voucher, Voucher::of(&memory, None));
        older = Some(voucher);
        let n = rng.random_range(0..200);
        steps(&mut memory, &mut rng, n);
    }
}

#[test]
fn a_voucher_comes_back_from_json() {
    let dir = tempfile::tempdir().unwrap();
    let saved = saved_file(&dir.path().join("replay"), SHAPE, Residence::InMemory);
    let json = serde_json::to_string(&saved.voucher).unwrap();
    let read: Voucher = serde_json::from_str(&json).unwrap();
    assert_eq!(read, saved.voucher);
}

#[test]
fn a_checkpoint_before_the_first_game_vouches_for_no_slot() {
    let dir = tempfile::tempdir().unwrap();
    for residence in RESIDENCES {
        let path = dir.path().join(format!("{residence:?}"));
        let contents = contents(TINY, residence);
        let (mut file, region) = ReplayFile::create(&path, &contents).unwrap();
        let mut memory = memory(TINY, region);
        let saved = save(&mut file, &mut memory);
        (0..2).for_each(|env| memory.begin(env, &[7, 7]));
        drop((file, memory));
        let (_, memory) = open(&path, &contents, &saved).unwrap();
        assert_eq!(memory.n_samplable(), 0);
    }
}

#[test]
fn a_checkpoint_whose_slack_was_used_up_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let contents = contents(TINY, Residence::Mapped);
    let (mut file, mut memory) = create(&path, &contents);
    let mut rng = rng(8);
    steps(&mut memory, &mut rng, 100);
    let saved = save(&mut file, &mut memory);
    steps(&mut memory, &mut rng, 100);
    assert_eq!(memory.slots_left(), Some(0));
    drop((file, memory));
    let error = open(&path, &contents, &saved).map(drop).unwrap_err();
    assert!(error.to_string().contains("written to since"), "{error}");
}

#[test]
fn a_file_has_one_holder_and_is_never_made_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let contents = contents(TINY, Residence::Mapped);
    let (mut file, mut memory) = create(&path, &contents);
    let saved = save(&mut file, &mut memory);
    let error = open(&path, &contents, &saved).map(drop).unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    let error = ReplayFile::create(&path, &contents).map(drop).unwrap_err();
    assert!(error.to_string().contains("cannot create"), "{error}");
    drop((file, memory));
    open(&path, &contents, &saved).map(drop).unwrap();
}

#[test]
fn a_file_for_which_there_is_no_room_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let capacity = 1 << 50;
    let shape = ReplayShape { capacity, ..TINY };
    let created = ReplayFile::create(&path, &contents(shape, Residence::Mapped));
    let error = created.map(drop).unwrap_err();
    assert!(matches!(error, ReplayFileError::NoRoom { .. }), "{error}");
    let identity = "x".repeat(5_000);
    let named = Contents {
        identity: &identity,
        ..contents(TINY, Residence::Mapped)
    };
    ReplayFile::create(&path, &named).map(drop).unwrap_err();
    assert!(!path.exists());
}

#[test]
fn a_memory_without_a_file_is_refused_when_there_is_not_enough() {
    assert!(
        in_memory(&TINY)
            .unwrap()
            .as_bytes()
            .iter()
            .all(|byte| *byte == 0)
    );
    let capacity = usize::MAX;
    let error = in_memory(&ReplayShape { capacity, ..TINY }).map(drop);
    assert!(error.unwrap_err().to_string().contains("bytes of memory"));
}
