//! What a checkpoint vouched for stays whole until the slack is used up.

use super::*;

/// All bytes that a checkpoint at this moment vouches for.
fn vouched(memory: &Replay, heads: &[usize], bytes: &[u8]) -> Vec<u8> {
    let shape = memory.shape();
    let mut kept = Vec::new();
    for (lane, &head) in heads.iter().enumerate() {
        let slots = shape.kept(head);
        let frames = shape.frame_bytes(lane, slots.clone());
        let records = shape.record_bytes(lane, slots.start..head);
        for range in frames.into_iter().chain(records) {
            kept.extend_from_slice(&bytes[range]);
        }
    }
    kept
}

#[test]
fn an_old_checkpoint_is_whole_until_no_slot_is_left() {
    for key in 0..300 {
        let mut rng = rng(key);
        let mut pair = Pair::new(random_shape(&mut rng), None);
        assert_eq!(pair.memory.slots_left(), None);
        (0..rng.random_range(1..150)).for_each(|_| pair.random_step(&mut rng));
        pair.memory.vouch();
        let state = pair.memory.state();
        let heads: Vec<usize> = state.lanes.iter().map(|lane| lane.head).collect();
        let before = vouched(&pair.memory, &heads, pair.memory.bytes());
        let shape = *pair.memory.shape();
        assert!(pair.memory.slots_left().unwrap() >= shape.slack - shape.late);

        // A step takes up to two slots.
        while pair.memory.slots_left().unwrap() >= 2 {
            pair.random_step(&mut rng);
            assert_eq!(vouched(&pair.memory, &heads, pair.memory.bytes()), before);
        }
        // The process dies. What it had written since does not matter.
        let region = Box::new(pair.memory.bytes().to_vec());
        let restored = Replay::new(shape, region, None).unwrap();
        let restored = restored.resumed(&state, &[]).unwrap();
        assert_eq!(vouched(&restored, &heads, restored.bytes()), before);
        assert_eq!(restored.state(), state);
    }
}

#[test]
fn the_slack_is_as_many_slots_as_the_shape_says_and_no_more() {
    for slack in 0..6 {
        let shape = ReplayShape {
            n_envs: 1,
            capacity: 7,
            slack,
            late: 0,
            frame_len: 2,
            stack: 3,
            n_step: 1,
            discount: 0.5,
        };
        let mut memory = memory(shape, None);
        memory.begin(0, &[0, 0]);
        let push = |memory: &mut Replay, n: u8| {
            let step = Step {
                action: n,
                reward: f32::from(n),
                ending: Ending::None,
                next_frame: &[n, n],
            };
            memory.push(0, &step);
        };
        (0..30).for_each(|n| push(&mut memory, n));
        memory.vouch();
        let head = memory.state().lanes[0].head;
        let before = vouched(&memory, &[head], memory.bytes());
        for left in (0..slack).rev() {
            push(&mut memory, 100);
            assert_eq!(memory.slots_left(), Some(left));
        }
        assert_eq!(memory.slots_left(), Some(0));
        assert_eq!(vouched(&memory, &[head], memory.bytes()), before);
        push(&mut memory, 100);
        assert_ne!(vouched(&memory, &[head], memory.bytes()), before);
    }
}

#[test]
fn environments_that_cannot_be_restored_start_anew_without_harm_to_the_checkpoint() {
    let mut rng = rng(11);
    let mut pair = Pair::new(random_shape(&mut rng), None);
    let n_envs = pair.memory.shape().n_envs;
    let frame_len = pair.memory.shape().frame_len;
    (0..100).for_each(|_| pair.random_step(&mut rng));
    pair.memory = resumed(&pair.memory, None);
    let state = pair.memory.state();
    let heads: Vec<usize> = state.lanes.iter().map(|lane| lane.head).collect();
    let before = vouched(&pair.memory, &heads, pair.memory.bytes());
    if pair.memory.slots_left().unwrap() > 0 {
        (0..n_envs).for_each(|env| pair.begin(env, &vec![7; frame_len]));
        assert_eq!(vouched(&pair.memory, &heads, pair.memory.bytes()), before);
    }
    pair.check();
}

/// A batch that is drawn before a round and learned from after it may hold what left the window in between.
#[test]
fn what_has_left_the_window_lately_is_found_again_after_a_resume() {
    let shape = ReplayShape {
        n_envs: 1,
        capacity: 7,
        slack: 48,
        late: 3,
        frame_len: 2,
        stack: 3,
        n_step: 1,
        discount: 0.5,
    };
    let mut memory = memory(shape, None);
    memory.begin(0, &[0, 0]);
    let push = |memory: &mut Replay, n: u8| {
        let step = Step {
            action: n,
            reward: f32::from(n),
            ending: Ending::None,
            next_frame: &[n, n],
        };
        memory.push(0, &step);
    };
    (0..30).for_each(|n| push(&mut memory, n));
    let oldest = i64::try_from(memory.state().lanes[0].head - 7).unwrap();
    let gathered = |memory: &Replay| {
        let mut batch = ReplayBatch::new(1, shape.obs_len());
        let found = memory.gather(&[oldest], &[1.0], &mut batch);
        found.map(|()| (batch.obs_tm1, batch.obs_t, batch.action_tm1, batch.reward_t))
    };
    let expected = gathered(&memory).unwrap();
    for n in 30..33 {
        push(&mut memory, n);
        memory.vouch();
        let restored = resumed(&memory, None);
        assert_eq!(gathered(&restored).unwrap(), expected);
    }
    push(&mut memory, 33);
    assert!(gathered(&memory).is_err());
}
