//! What computes the gradient of a share of the batch, on a thread of its own.
//!
//! The loss is a mean over transitions, so its gradient is a sum over shares of the batch. On a CPU one thread for each share
//! beats libtorch's own threads (see `a2c::replica`). How the batch is shared out decides the order of sums, and so the
//! rounding.

use std::ops::Range;

use rlrun_nn::gradients;
use tch::Tensor;

use super::loss::{Loss, Outcome, bootstrap, loss};
use super::network::{Network, copy_out};
use super::{DqnConfig, LossKind};
use crate::replay::ReplayBatch;

/// Second handles of the agent's networks. They see every change of the parameters.
#[derive(Debug)]
pub struct Replica {
    pub(super) loss: LossKind,
    pub(super) double: bool,
    pub(super) online: Network,
    pub(super) target: Network,
    /// What the online network computes with, in order.
    pub(super) params: Vec<Tensor>,
}

/// What a share adds to the batch's gradient and statistics.
#[derive(Debug)]
pub struct ShareGradient {
    /// One per parameter, in order.
    pub(super) grads: Vec<Tensor>,
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
        }
    }

    /// What the transitions `rows` add to the gradient of the whole batch.
    ///
    /// # Panics
    /// If there are no such rows, or the observations are not of the task's shape.
    pub fn gradient(&mut self, batch: &ReplayBatch, rows: Range<usize>) -> ShareGradient {
        assert!(!rows.is_empty(), "a share of no transitions");
        let obs_len = self.online.obs_len();
        let obs_rows = rows.start * obs_len..rows.end * obs_len;
        let value_t = self.value_t(&batch.obs_t[obs_rows.clone()]); // [N]
        let q_tm1 = self.online.forward(&batch.obs_tm1[obs_rows]); // [N, A]
        #[expect(
            clippy::cast_precision_loss,
            reason = "a batch has far fewer than 2^52 transitions"
        )]
        let n_total = batch.len() as f64;
        let loss = loss(
            &q_tm1,
            &value_t,
            &self.outcome(batch, rows),
            self.loss,
            n_total,
        );
        let grads = gradients(&loss.total, &self.params);
        let (td_errors, terms) = statistics(&loss, n_total);
        ShareGradient {
            grads,
            td_errors,
            terms,
        }
    }

    /// The values of all actions under the online parameters, written to `values`.
    ///
    /// # Shapes
    /// `obs` \[b, C, H, W\] bytes; `values` becomes \[b, A\].
    pub fn q_values(&self, obs: &[u8], values: &mut Vec<f32>) {
        self.online.q_values(obs, values);
    }

    /// What `o_t` is worth, \[N\]. No gradient flows through it.
    fn value_t(&self, obs_t: &[u8]) -> Tensor {
        tch::no_grad(|| {
            let q_target_t = self.target.forward(obs_t); // [N, A]
            let q_t = self.double.then(|| self.online.forward(obs_t)); // [N, A]
            bootstrap(&q_target_t, q_t.as_ref())
        })
    }

    fn outcome(&self, batch: &ReplayBatch, rows: Range<usize>) -> Outcome {
        let device = self.online.device();
        let floats = |all: &[f32]| Tensor::from_slice(&all[rows.clone()]).to_device(device);
        Outcome {
            action_tm1: Tensor::from_slice(&batch.action_tm1[rows.clone()]).to_device(device),
            reward_t: floats(&batch.reward_t),
            discount_t: floats(&batch.discount_t),
            weight: floats(&batch.weight),
        }
    }
}

/// The td errors of a share, and its terms: one copy from the device.
fn statistics(loss: &Loss, n_total: f64) -> (Vec<f32>, Terms) {
    let mut rows = Vec::new();
    let stacked = Tensor::stack(&[&loss.td_error, &loss.q_taken, &loss.terms], 0); // [3, N]
    copy_out(&stacked, &mut rows);
    let n = rows.len() / 3;
    let mean = |range: Range<usize>| -> f64 {
        rows[range].iter().copied().map(f64::from).sum::<f64>() / n_total
    };
    let terms = Terms {
        q: mean(n..2 * n),
        loss: mean(2 * n..3 * n),
    };
    rows.truncate(n);
    (rows, terms)
}

impl ShareGradient {
    /// The sum of all shares' gradients, in their order and in the memory of the first, and of their terms; their td errors
    /// one after the other.
    pub(super) fn sum(shares: Vec<Self>) -> Self {
        let mut shares = shares.into_iter();
        let mut total = shares.next().expect("a batch has at least one share");
        for share in shares {
            for (sum, grad) in total.grads.iter_mut().zip(&share.grads) {
                let _ = sum.g_add_(grad);
            }
            total.td_errors.extend(share.td_errors);
            total.terms.loss += share.terms.loss;
            total.terms.q += share.terms.q;
        }
        total
    }
}
