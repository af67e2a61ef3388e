//! Uniform replay: what is stored, and how often each transition comes.

use std::collections::HashMap;

use super::*;
use crate::replay::{Open, ReplayError};

#[test]
fn it_holds_what_its_naive_twin_holds_whatever_happens() {
    for key in 0..300 {
        let mut rng = rng(key);
        let mut pair = Pair::new(random_shape(&mut rng), None);
        for step in 0..250 {
            pair.random_step(&mut rng);
            if step % 10 == 0 {
                pair.check();
            }
        }
        pair.check();
    }
}

#[test]
fn sampled_batches_are_those_of_the_twin_and_repeat_under_their_stream() {
    for key in 0..100 {
        let mut rng = rng(key);
        let mut pair = Pair::new(random_shape(&mut rng), None);
        (0..100).for_each(|_| pair.random_step(&mut rng));
        let new_batch = || ReplayBatch::new(16, pair.memory.shape().obs_len());
        let (mut batch, mut again) = (new_batch(), new_batch());
        let sample = |batch: &mut ReplayBatch, memory: &Replay| {
            memory.sample_uniform(&mut stream(key, Consumer::Replay, 1, 0), batch)
        };
        if sample(&mut batch, &pair.memory) == Err(ReplayError::Empty) {
            assert_eq!(pair.memory.n_samplable(), 0);
            continue;
        }
        for row in 0..16 {
            let expected = pair.twin.sample(batch.slot[row]).unwrap();
            expected.check(&batch, row);
        }
        sample(&mut again, &pair.memory).unwrap();
        assert_eq!(again, batch);

        let restored = resumed(&pair.memory, None);
        sample(&mut again, &restored).unwrap();
        assert_eq!(again, batch);
        let mut gathered = new_batch();
        let found = restored.gather(&batch.slot, &batch.weight, &mut gathered);
        found.unwrap();
        assert_eq!(gathered, batch);
    }
}

#[test]
fn a_resumed_memory_goes_on_like_the_old_one() {
    for key in 0..100 {
        let mut rng = rng(key);
        let mut pair = Pair::new(random_shape(&mut rng), None);
        for _ in 0..4 {
            (0..60).for_each(|_| pair.random_step(&mut rng));
            pair.memory = resumed(&pair.memory, None);
            pair.check();
        }
    }
}

#[test]
fn every_transition_comes_equally_often() {
    let shape = ReplayShape {
        n_envs: 2,
        capacity: 40,
        slack: 3,
        late: 0,
        frame_len: 1,
        stack: 2,
        n_step: 2,
        discount: 0.5,
    };
    let mut rng = rng(7);
    let mut pair = Pair::new(shape, None);
    (0..200).for_each(|_| pair.random_step(&mut rng));
    let mut counts = HashMap::new();
    let mut batch = ReplayBatch::new(1_000, shape.obs_len());
    for _ in 0..100 {
        pair.memory.sample_uniform(&mut rng, &mut batch).unwrap();
        for slot in &batch.slot {
            *counts.entry(*slot).or_insert(0_u32) += 1;
        }
    }
    let n_samplable = pair.memory.n_samplable();
    assert_eq!(counts.len(), n_samplable);
    // Five standard deviations of a binomial distribution.
    let mean = 100_000.0 / f64::from(u32::try_from(n_samplable).unwrap());
    for (slot, count) in counts {
        let difference = (f64::from(count) - mean).abs();
        assert!(difference < 5.0 * mean.sqrt(), "slot {slot}: {count}");
    }
}

#[test]
fn an_empty_memory_gives_nothing() {
    let shape = random_shape(&mut rng(1));
    let mut memory = memory(shape, None);
    let mut batch = ReplayBatch::new(2, shape.obs_len());
    let sampled = memory.sample_uniform(&mut rng(1), &mut batch);
    assert_eq!(sampled, Err(ReplayError::Empty));
    memory.begin(0, &vec![1; shape.frame_len]);
    let sampled = memory.sample_uniform(&mut rng(1), &mut batch);
    assert_eq!(sampled, Err(ReplayError::Empty));
    let gathered = memory.gather(&[-1, 0], &[1.0; 2], &mut batch);
    assert_eq!(gathered, Err(ReplayError::NotThere { slot: -1 }));
}

#[test]
fn a_region_or_state_of_another_shape_is_refused() {
    let shape = random_shape(&mut rng(2));
    let refused = Replay::new(shape, Box::new(vec![0; 3]), None).unwrap_err();
    assert!(matches!(refused, ReplayError::RegionLength { got: 3, .. }));

    let mut state = memory(shape, None).state();
    state.lanes[0].head = 5;
    assert_eq!(state.lanes[0].open, Open::Nothing);
    let refused = memory(shape, None).resumed(&state, &[]).unwrap_err();
    assert!(refused.to_string().contains("is 5, expected 0"));
    state.lanes.clear();
    let refused = memory(shape, None).resumed(&state, &[]).unwrap_err();
    assert!(refused.to_string().contains("environments is 0"));
}
