//! Prioritized replay: what each transition weighs, and that it follows the window.

use std::collections::HashMap;

use super::*;
use crate::replay::ReplayError;

/// The priorities by slot, kept naively.
struct Weights {
    priority: HashMap<i64, f32>,
    greatest: f32,
}

impl Weights {
    fn new() -> Self {
        Self {
            priority: HashMap::new(),
            greatest: 1.0,
        }
    }

    /// What has become complete gets the greatest priority; what cannot be sampled has none.
    fn follow(&mut self, twin: &Twin) {
        for (slot, expected) in twin.slots() {
            if expected.is_some() {
                self.priority.entry(slot).or_insert(self.greatest);
            } else {
                self.priority.remove(&slot);
            }
        }
    }

    fn update(&mut self, slots: &[i64], td_errors: &[f32]) {
        for (slot, td_error) in slots.iter().zip(td_errors) {
            if let Some(priority) = self.priority.get_mut(slot) {
                let exact = (f64::from(td_error.abs()) + 1e-3).powf(0.6);
                #[expect(clippy::cast_possible_truncation, reason = "as the memory stores it")]
                let value = exact as f32;
                *priority = value;
                self.greatest = self.greatest.max(value);
            }
        }
    }

    /// The memory has exactly these priorities, lane after lane.
    fn check(&self, memory: &Replay) {
        let (n_envs, window) = (memory.shape().n_envs, memory.shape().window());
        let mut leaves = vec![0.0_f32; n_envs * window];
        for (&slot, &priority) in &self.priority {
            let slot = usize::try_from(slot).unwrap();
            leaves[slot % n_envs * window + slot / n_envs % window] = priority;
        }
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(memory.priorities()), bits(&leaves));
    }
}

#[test]
fn priorities_follow_the_window_and_the_errors_as_those_of_a_naive_twin_do() {
    for key in 0..200 {
        let mut rng = rng(key);
        let mut pair = Pair::new(random_shape(&mut rng), Some(PRIORITIZATION));
        let mut weights = Weights::new();
        let mut batch = ReplayBatch::new(4, pair.memory.shape().obs_len());
        for step in 0..150 {
            // Updates come late: some of their slots have left the window.
            let td_errors: Vec<f32> = (0..4).map(|_| rng.random_range(-3.0..3.0)).collect();
            if step > 0 && step % 5 == 0 {
                let updated = pair.memory.update_priorities(&batch.slot, &td_errors);
                updated.unwrap();
                weights.update(&batch.slot, &td_errors);
            }
            pair.random_step(&mut rng);
            weights.follow(&pair.twin);
            weights.check(&pair.memory);
            if step % 5 == 1 && pair.memory.n_samplable() > 0 {
                let sampled = pair.memory.sample_prioritized(&mut rng, 0.4, &mut batch);
                sampled.unwrap();
                for row in 0..4 {
                    let expected = pair.twin.sample(batch.slot[row]).unwrap();
                    expected.check(&batch, row);
                }
            }
        }
        pair.check();
    }
}

#[test]
fn a_resumed_memory_samples_as_the_old_one_would_have() {
    for key in 0..100 {
        let mut rng = rng(key);
        let mut pair = Pair::new(random_shape(&mut rng), Some(PRIORITIZATION));
        (0..80).for_each(|_| pair.random_step(&mut rng));
        let mut other = resumed(&pair.memory, Some(PRIORITIZATION));
        if pair.memory.n_samplable() == 0 {
            continue;
        }
        let obs_len = pair.memory.shape().obs_len();
        let mut batches = [(); 2].map(|()| ReplayBatch::new(8, obs_len));
        for step in 0..20 {
            for (memory, batch) in [&mut pair.memory, &mut other].into_iter().zip(&mut batches) {
                let mut rng = stream(key, Consumer::Replay, step, 0);
                memory.sample_prioritized(&mut rng, 0.6, batch).unwrap();
                let td_errors: Vec<f32> = (0..8).map(|_| rng.random()).collect();
                memory.update_priorities(&batch.slot, &td_errors).unwrap();
            }
            assert_eq!(batches[0], batches[1]);
        }
        assert_eq!(pair.memory.state(), other.state());
    }
}

#[test]
fn transitions_come_as_often_as_their_priorities_say_and_are_weighed_for_it() {
    let shape = ReplayShape {
        n_envs: 2,
        capacity: 8,
        slack: 0,
        late: 0,
        frame_len: 1,
        stack: 1,
        n_step: 1,
        discount: 0.5,
    };
    let mut rng = rng(3);
    let mut pair = Pair::new(shape, Some(PRIORITIZATION));
    (0..60).for_each(|_| pair.random_step(&mut rng));
    let samplable = || pair.twin.slots().filter(|(_, expected)| expected.is_some());
    let slots: Vec<i64> = samplable().map(|(slot, _)| slot).collect();
    let td_errors: Vec<f32> = (1_u8..).map(f32::from).take(slots.len()).collect();
    pair.memory.update_priorities(&slots, &td_errors).unwrap();
    let priority: Vec<f64> = td_errors
        .iter()
        .map(|delta| (f64::from(*delta) + 1e-3).powf(0.6))
        .collect();
    let total: f64 = priority.iter().sum();

    let mut count: HashMap<i64, u32> = HashMap::new();
    let mut batch = ReplayBatch::new(32, shape.obs_len());
    for _ in 0..2_000 {
        let sampled = pair.memory.sample_prioritized(&mut rng, 0.5, &mut batch);
        sampled.unwrap();
        for slot in &batch.slot {
            *count.entry(*slot).or_default() += 1;
        }
        let of = |slot| priority[slots.iter().position(|other| *other == slot).unwrap()];
        let n = f64::from(u32::try_from(slots.len()).unwrap());
        let raw: Vec<f64> = batch
            .slot
            .iter()
            .map(|slot| (n * of(*slot) / total).powf(-0.5))
            .collect();
        let greatest = raw.iter().copied().fold(0.0, f64::max);
        for (weight, raw) in batch.weight.iter().zip(raw) {
            assert!((f64::from(*weight) - raw / greatest).abs() < 1e-6);
        }
    }
    for (slot, priority) in slots.iter().zip(&priority) {
        let expected = 64_000.0 * priority / total;
        let difference = (f64::from(count[slot]) - expected).abs();
        assert!(difference < 5.0 * expected.sqrt(), "slot {slot}");
    }
}

#[test]
fn errors_that_are_no_numbers_change_nothing() {
    let shape = random_shape(&mut rng(4));
    let mut pair = Pair::new(shape, Some(PRIORITIZATION));
    (0..60).for_each(|_| pair.random_step(&mut rng(5)));
    let before = pair.memory.priorities().to_vec();
    let updated = pair.memory.update_priorities(&[1, 2], &[1.0, f32::NAN]);
    assert!(matches!(
        updated,
        Err(ReplayError::NotFinite { slot: 2, .. })
    ));
    assert_eq!(pair.memory.priorities(), before);
}

#[test]
fn uniform_and_prioritized_memories_are_not_mistaken_for_each_other() {
    let shape = random_shape(&mut rng(6));
    let mut uniform = Pair::new(shape, None).memory;
    let mut batch = ReplayBatch::new(1, shape.obs_len());
    let sampled = uniform.sample_prioritized(&mut rng(1), 0.4, &mut batch);
    assert_eq!(sampled, Err(ReplayError::NotPrioritized));
    let updated = uniform.update_priorities(&[0], &[0.0]);
    assert_eq!(updated, Err(ReplayError::NotPrioritized));

    let prioritized = Pair::new(shape, Some(PRIORITIZATION)).memory;
    let state = prioritized.state();
    memory(shape, None).resumed(&state, &[]).unwrap_err();
    let state = uniform.state();
    let leaves = prioritized.priorities();
    memory(shape, Some(PRIORITIZATION))
        .resumed(&state, leaves)
        .unwrap_err();
}

#[test]
fn saved_priorities_that_do_not_fit_their_slots_are_refused() {
    let mut rng = rng(8);
    let mut pair = Pair::new(random_shape(&mut rng), Some(PRIORITIZATION));
    (0..60).for_each(|_| pair.random_step(&mut rng));
    for leaf in 0..pair.memory.priorities().len() {
        let mut leaves = pair.memory.priorities().to_vec();
        leaves[leaf] = if leaves[leaf] > 0.0 { 0.0 } else { 1.0 };
        let region = Box::new(pair.memory.bytes().to_vec());
        let fresh = Replay::new(*pair.memory.shape(), region, Some(PRIORITIZATION)).unwrap();
        let refused = fresh.resumed(&pair.memory.state(), &leaves).unwrap_err();
        assert!(matches!(refused, ReplayError::OtherPriority { .. }));
    }
}
