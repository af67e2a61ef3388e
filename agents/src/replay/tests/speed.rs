//! How long a batch takes. Not run by default: it needs 7.2 GB.

use std::time::Instant;

use super::*;

const N_BATCHES: u32 = 2_000;

/// Fills a memory of `capacity` transitions of Atari, and prints what pushing and sampling take.
fn measure(capacity: usize, n_step: usize, prioritization: Option<Prioritization>) {
    let shape = ReplayShape {
        n_envs: 8,
        capacity,
        slack: capacity / 400,
        late: 0,
        frame_len: 84 * 84,
        stack: 4,
        n_step,
        discount: 0.99,
    };
    let region = Box::new(vec![0_u8; usize::try_from(shape.bytes()).unwrap()]);
    let mut memory = Replay::new(shape, region, prioritization).unwrap();
    let frame = vec![0x5a; shape.frame_len];
    (0..8).for_each(|env| memory.begin(env, &frame));
    let started = Instant::now();
    for t in 0..shape.slots() * 8 {
        let step = Step {
            action: 1,
            reward: 1.0,
            ending: match t % 1_000 {
                0 => Ending::LifeLost,
                1 => Ending::GameOver,
                _ => Ending::None,
            },
            next_frame: &frame,
        };
        memory.push(t % 8, &step);
    }
    let n_pushed = u32::try_from(shape.slots() * 8).unwrap();
    println!("push: {:?}", started.elapsed() / n_pushed);

    let mut batch = ReplayBatch::new(32, shape.obs_len());
    let mut rng = rng(1);
    let td_errors: Vec<f32> = (1_u8..=32).map(f32::from).collect();
    let started = Instant::now();
    for _ in 0..N_BATCHES {
        if prioritization.is_none() {
            memory.sample_uniform(&mut rng, &mut batch).unwrap();
        } else {
            let sampled = memory.sample_prioritized(&mut rng, 0.4, &mut batch);
            sampled.unwrap();
            memory.update_priorities(&batch.slot, &td_errors).unwrap();
        }
    }
    let kind = prioritization.map_or("uniform", |_| "prioritized, with its update");
    println!(
        "batch of 32, n = {n_step}, {} of {capacity}, {kind}: {:?}",
        memory.n_samplable(),
        started.elapsed() / N_BATCHES
    );
}

#[test]
#[ignore = "prints times; cargo test --release -p rlrun-agents replay::tests::speed -- --ignored --nocapture --test-threads 1"]
fn a_batch_from_a_million_transitions() {
    measure(1_000_000, 1, None);
    measure(1_000_000, 3, Some(PRIORITIZATION));
}

#[test]
#[ignore = "prints times, as the one above, within 0.8 GB"]
fn a_batch_from_a_hundred_thousand_transitions() {
    measure(100_000, 1, None);
    measure(100_000, 3, Some(PRIORITIZATION));
}
