//! The gradient of a batch, computed in shares.
//!
//! The loss is a mean over transitions, so its gradient is a sum over shares of the batch. Each share is worked on by a
//! [`Differentiator`] that may live on a thread of its own. On a CPU this beats libtorch's own threads, which split every
//! single operation and wait for each other after it. How many shares there are decides the order of sums, and so the
//! rounding; which thread works on which share does not.

use rlrun_nn::ActorCritic;
use tch::{Kind, Tensor};

use super::loss::{Weights, loss};

/// A share of a batch, on the learner's device.
#[derive(Debug)]
pub struct Share {
    /// \[m, C, H, W\] bytes.
    pub(super) obs: Tensor,
    /// \[m\] actions taken, i64.
    pub(super) action: Tensor,
    /// \[m\] n-step returns.
    pub(super) returns: Tensor,
}

/// What a share adds to the batch's gradient and statistics.
#[derive(Debug)]
pub struct ShareGradient {
    /// One per parameter, in order.
    pub(super) grads: Vec<Tensor>,
    /// What the share adds to: policy loss, value loss, entropy, mean of R - V.
    pub(super) terms: [f64; N_TERMS],
}

/// How many terms a share reports.
pub(super) const N_TERMS: usize = 4;

/// Computes gradients under the agent's current parameters. Shares their memory.
#[derive(Debug)]
pub struct Differentiator {
    pub(super) network: ActorCritic,
    pub(super) params: Vec<Tensor>,
    pub(super) weights: Weights,
}

impl Differentiator {
    /// The share's part of the gradient.
    pub fn gradient(&self, share: &Share) -> ShareGradient {
        let (logits, value) = self.network.forward(&share.obs); // [m, A], [m]
        let loss = loss(&logits, &value, &share.action, &share.returns, self.weights);
        let grads = Tensor::run_backward(&[&loss.total], &self.params, false, false);
        let error = (&share.returns - value.detach()).sum(Kind::Float) / self.weights.n_total; // []
        let terms = [&loss.policy, &loss.value, &loss.entropy, &error];
        ShareGradient {
            grads,
            terms: terms.map(|term| term.double_value(&[])),
        }
    }
}

/// The sum of the shares' gradients, in the memory of the first, and of their terms.
pub(super) fn sum(shares: Vec<ShareGradient>) -> ShareGradient {
    let mut shares = shares.into_iter();
    let mut total = shares.next().expect("a batch has at least one share");
    for share in shares {
        for (sum, grad) in total.grads.iter_mut().zip(&share.grads) {
            let _ = sum.g_add_(grad);
        }
        for (sum, term) in total.terms.iter_mut().zip(share.terms) {
            *sum += term;
        }
    }
    total
}
