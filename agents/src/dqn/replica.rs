//! What computes the gradient of a batch, or of a share of it.
//!
//! The loss is a mean over transitions, so its gradient is a sum over shares of the batch. With kernels of ours one replica takes the whole batch, and the threads
//! of the rayon pool it is called in share out its images and products. Where libtorch computes, one thread for each share beats libtorch's own threads (see
//! `a2c::replica`), and how the batch is shared out decides the order of sums, and so the rounding.
//!
//! No graph is needed from the loss to the network's outputs: the slope is known ([`super::loss`]), and [`rlrun_nn::gradients_from`] goes on from there.

use std::ops::Range;

use rlrun_nn::optim::{Summed, norm_of, summed};
use rlrun_nn::{Captured, Gradient, Tape, both, gradients_from, to_device};
use tch::{Device, Tensor};

use super::loss::{Outcome, bootstrap, loss};
use super::network::{Network, copy_out};
use super::{DqnConfig, LossKind};
use crate::replay::ReplayBatch;

/// Images of a batch whose gradients are summed by themselves before they are added to the others': a piece of work for a thread.
const PART: usize = 8;

/// Second handles of the agent's networks. They see every change of the parameters.
#[derive(Debug)]
pub struct Replica {
    pub(super) loss: LossKind,
    pub(super) double: bool,
    pub(super) online: Network,
    pub(super) target: Network,
    /// What the online network computes with, in order.
    pub(super) params: Vec<Tensor>,
    learning: Captured,
}

/// What a share adds to the batch's gradient and statistics.
#[derive(Debug)]
pub struct ShareGradient {
    /// One per parameter, in order.
    pub(super) grads: Vec<Gradient>,
    /// Their norm, if it came along.
    pub(super) norm: Option<f64>,
    /// Of the share's transitions, in their order.
    pub(super) td_errors: Vec<f32>,
    /// Each a sum over the share, divided by the size of the whole batch.
    pub(super) terms: Terms,
}

/// Statistics of a batch, or what a share adds to them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    pub(super) loss: f64,
    /// Mean of `Q(o_tm1, a_tm1)`.
    pub(super) q: f64,
}

impl Replica {
    pub(super) fn new(
        config: &DqnConfig,
        online: Network,
        target: Network,
        params: Vec<Tensor>,
    ) -> Self {
        Self {
            loss: config.loss,
            double: config.double,
            online,
            target,
            params,
            learning: Captured::default(),
        }
    }

    /// What the transitions `rows` add to the gradient of the whole batch.
    ///
    /// # Panics
    /// If there are no such rows, or the observations are not of the task's shape.
    pub fn gradient(&mut self, batch: &ReplayBatch, rows: Range<usize>) -> ShareGradient {
        assert!(!rows.is_empty(), "a share of no transitions");
        let (n_rows, obs_len) = (rows.len(), self.online.obs_len());
        let obs_rows = rows.start * obs_len..rows.end * obs_len;
        let inputs = [
            self.online.sent(&batch.obs_tm1, obs_rows.clone()),
            self.online.sent(&batch.obs_t, obs_rows),
            self.numbers(batch, rows),
        ];
        #[expect(
            clippy::cast_precision_loss,
            reason = "a batch has far fewer than 2^52 transitions"
        )]
        let n_total = batch.len() as f64;
        let mut nets = Nets {
            online: &mut self.online,
            target: &mut self.target,
            is_double: self.double,
        };
        let (params, kind) = (&self.params, self.loss);
        let device = nets.online.device();
        // Captured for one size of the whole batch: it never changes.
        let descend = |inputs: &[Tensor]| {
            let [obs_tm1, obs_t, numbers] = inputs else {
                unreachable!("what is given below")
            };
            let mut tape = Tape::in_parts(PART);
            let (q_tm1, value_t) = nets.look(obs_tm1, obs_t, &mut tape);
            let loss = loss(&q_tm1, &value_t, &Outcome::of(numbers), kind, n_total);
            let grads = gradients_from(&q_tm1, &loss.slope, params, tape);
            let mut looks = vec![loss.td_error, loss.q_taken, loss.terms];
            if device != Device::Cpu {
                let whole: Vec<Tensor> = grads.iter().map(Gradient::whole).collect();
                looks.push(norm_of(&whole).view([1]));
            }
            (grads, Tensor::cat(&looks, 0))
        };
        // A thread of a pool may begin this while it waits within a pass that draws no graph.
        let (grads, looks) = tch::with_grad(|| self.learning.call_for_gradients(&inputs, descend));
        // All at once: each look at a GPU waits for it.
        let mut rows = Vec::new();
        copy_out(&looks, &mut rows);
        ShareGradient::of(grads, rows, n_rows, n_total)
    }

    /// The values of all actions under the online parameters, written to `values`.
    ///
    /// # Shapes
    /// `obs` \[b, C, H, W\] bytes; `values` becomes \[b, A\].
    pub fn q_values(&self, obs: &[u8], values: &mut Vec<f32>) {
        self.online.q_values(obs, values);
    }

    /// What happened in `rows`, in one piece on the device: \[4, N\], in the order of [`Outcome::of`].
    fn numbers(&self, batch: &ReplayBatch, rows: Range<usize>) -> Tensor {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an action is a byte, which an f32 holds exactly"
        )]
        let actions = batch.action_tm1[rows.clone()].iter().map(|&a| a as f32);
        let others = [&batch.reward_t, &batch.discount_t, &batch.weight];
        let others = others.into_iter().flat_map(|all| &all[rows.clone()]);
        let numbers: Vec<f32> = actions.chain(others.copied()).collect();
        to_device(&numbers, self.online.device()).view([4, -1])
    }
}

/// The networks of an update.
struct Nets<'a> {
    online: &'a mut Network,
    target: &'a mut Network,
    is_double: bool,
}

impl Nets<'_> {
    /// The values of all actions at `obs_tm1` \[N, A\], for a gradient, and what `obs_t` is worth \[N\]; both networks at a time.
    fn look(&mut self, obs_tm1: &Tensor, obs_t: &Tensor, tape: &mut Tape) -> (Tensor, Tensor) {
        let [obs_tm1, obs_t, obs_t_again] = [obs_tm1, obs_t, obs_t].map(Tensor::shallow_clone);
        let is_double = self.is_double;
        let (online, target) = (&mut *self.online, &mut *self.target);
        let online_part = move || {
            let q_tm1 = tch::with_grad(|| online.record(&obs_tm1, tape)); // [N, A]
            let q_t = is_double.then(|| tch::no_grad(|| online.forward(&obs_t_again))); // [N, A]
            (q_tm1, q_t)
        };
        let target_part = move || tch::no_grad(|| target.forward(&obs_t)); // [N, A]
        let ((q_tm1, q_t), q_target_t) = both(online_part, target_part);
        (q_tm1, bootstrap(&q_target_t, q_t.as_ref()))
    }
}

impl ShareGradient {
    /// From what was looked up of `n_rows` transitions: td errors, values, terms of the loss, and perhaps the gradient's norm.
    fn of(grads: Vec<Gradient>, mut looked_up: Vec<f32>, n_rows: usize, n_total: f64) -> Self {
        let mean = |range: Range<usize>| -> f64 {
            looked_up[range].iter().copied().map(f64::from).sum::<f64>() / n_total
        };
        let terms = Terms {
            q: mean(n_rows..2 * n_rows),
            loss: mean(2 * n_rows..3 * n_rows),
        };
        let norm = looked_up.get(3 * n_rows).copied().map(f64::from);
        looked_up.truncate(n_rows);
        Self {
            grads,
            norm,
            td_errors: looked_up,
            terms,
        }
    }

    /// The sums of all shares' gradients, in their order, and of their terms; their td errors one after the other.
    pub(super) fn sum(mut shares: Vec<Self>) -> (Summed, Terms, Vec<f32>) {
        let (mut terms, mut td_errors) = (Terms::default(), Vec::new());
        for share in &mut shares {
            td_errors.append(&mut share.td_errors);
            terms.loss += share.terms.loss;
            terms.q += share.terms.q;
        }
        let known = match shares.as_slice() {
            // On a GPU, which is not waited for once more.
            [Self { norm, .. }] => *norm,
            _ => None,
        };
        let mut grads = shares.into_iter().map(|share| share.grads);
        let summed = match (known, grads.next()) {
            (Some(norm), Some(grads)) => Summed { grads, norm },
            (_, first) => summed(first.into_iter().chain(grads).collect()),
        };
        (summed, terms, td_errors)
    }
}
