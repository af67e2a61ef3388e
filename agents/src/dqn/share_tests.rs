//! The gradient of a batch: by shares, in a pool, and of many replicas at once.

use rayon::prelude::*;
use rlrun_nn::{Gradient, TorsoKind};
use tch::Tensor;

use super::kit::{OBS_LEN, agent, batch, config};
use super::*;
use crate::replay::ReplayBatch;

const KINDS: [TorsoKind; 2] = [TorsoKind::Conv, TorsoKind::CoordConv];

#[test]
fn the_gradients_of_shares_add_up_to_that_of_the_batch() {
    for kind in KINDS {
        for (double, dueling) in [(false, false), (true, true)] {
            let config = DqnConfig {
                double,
                dueling,
                ..config()
            };
            let agent = agent(config, kind, 1);
            let gradient = |rows| agent.replica().gradient(&batch(), rows);
            let whole = gradient(0..4);
            let (sum, terms, td_errors) = ShareGradient::sum(vec![gradient(0..1), gradient(1..4)]);
            let sums = sum.grads.iter().map(Gradient::whole);
            for (whole, sum) in whole.grads.iter().map(Gradient::whole).zip(sums) {
                let scale = whole.abs().max().double_value(&[]).max(1e-6);
                let difference = (&whole - sum).abs().max().double_value(&[]);
                assert!(difference < 1e-4 * scale, "{difference} of {scale}");
            }
            for (whole, sum) in whole.td_errors.iter().zip(&td_errors) {
                assert!((whole - sum).abs() < 1e-5, "{whole} {sum}");
            }
            assert!((whole.terms.loss - terms.loss).abs() < 1e-6);
            assert!((whole.terms.q - terms.q).abs() < 1e-6);
        }
    }
}

/// `n` transitions, those of [`batch`] again and again.
fn long_batch(n: usize) -> ReplayBatch {
    let short = batch();
    let rows = |idx: usize| idx % short.len();
    let obs = |of: &[u8]| -> Vec<u8> {
        let rows = (0..n).map(rows);
        rows.flat_map(|row| of[row * OBS_LEN..][..OBS_LEN].to_vec())
            .enumerate()
            .map(|(idx, shade)| shade.wrapping_add(u8::try_from(idx / OBS_LEN).unwrap()))
            .collect()
    };
    ReplayBatch {
        obs_tm1: obs(&short.obs_tm1).into(),
        action_tm1: (0..n).map(|idx| short.action_tm1[rows(idx)]).collect(),
        reward_t: (0..n).map(|idx| short.reward_t[rows(idx)]).collect(),
        discount_t: (0..n).map(|idx| short.discount_t[rows(idx)]).collect(),
        obs_t: obs(&short.obs_t).into(),
        weight: (0..n).map(|idx| short.weight[rows(idx)]).collect(),
        slot: vec![0; n],
    }
}

/// Parts that are whole and one that is not, and batches smaller than a part.
#[test]
fn a_gradient_in_a_pool_is_the_same_bit_for_bit() {
    for (kind, (double, dueling, loss)) in [
        (TorsoKind::Conv, (false, false, LossKind::Huber)),
        (TorsoKind::CoordConv, (true, false, LossKind::Mse)),
        (TorsoKind::Conv, (true, true, LossKind::Huber)),
    ] {
        let config = DqnConfig {
            loss,
            double,
            dueling,
            ..config()
        };
        for n in [1, 7, 33] {
            let gradient = || {
                tch::set_num_threads(1); // as in a training: libtorch's own threads decide how it rounds
                let mut replica = agent(config.clone(), kind, 1).replica();
                let gradient = replica.gradient(&long_batch(n), 0..n);
                let grads: Vec<Tensor> = gradient.grads.iter().map(Gradient::whole).collect();
                (grads, gradient.td_errors)
            };
            let alone = gradient();
            for n_threads in [1, 2, 5] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
                assert_eq!(pool.build().unwrap().install(gradient), alone);
            }
        }
    }
}

/// A thread that waits within a pass that draws no graph may begin another replica's gradient, which needs one.
#[test]
fn many_replicas_in_a_small_pool_do_not_disturb_each_other() {
    let config = DqnConfig {
        double: true,
        dueling: true,
        ..config()
    };
    let agent = agent(config, TorsoKind::Conv, 1);
    let mut replicas: Vec<Replica> = (0..7).map(|_| agent.replica()).collect();
    let td_errors = |replica: &mut Replica| replica.gradient(&batch(), 0..4).td_errors;
    let alone = td_errors(&mut replicas[0]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(5).build();
    let pool = pool.unwrap();
    for _ in 0..150 {
        let all: Vec<Vec<f32>> = pool.install(|| {
            let replicas = replicas.par_iter_mut().with_max_len(1);
            replicas.map(td_errors).collect()
        });
        assert!(all.iter().all(|td_errors| *td_errors == alone));
    }
}
