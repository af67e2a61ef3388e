//! What a share of the batch adds to its gradient and statistics, and the sum of all shares.

use rlrun_nn::Gradient;
use rlrun_nn::optim::{Summed, summed};

/// What a share adds to the batch's gradient and statistics.
#[derive(Debug)]
pub struct ShareGradient {
    /// One per parameter, in order.
    pub(super) grads: Vec<Gradient>,
    /// Each a sum over the share, divided by the size of the whole batch.
    pub(super) terms: Terms,
}

/// Statistics of a batch, or what a share adds to them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    pub(super) policy_loss: f64,
    pub(super) value_loss: f64,
    pub(super) entropy: f64,
    /// Mean of R - V.
    pub(super) error: f64,
    /// Mean of R.
    pub(super) returns: f64,
    /// Mean of R^2.
    pub(super) square_returns: f64,
}

impl ShareGradient {
    /// The sums of all shares' gradients, in their order, and of their terms.
    pub(super) fn sum(shares: Vec<Self>) -> (Summed, Terms) {
        let mut terms = Terms::default();
        let grads = shares.into_iter().map(|share| {
            terms.add(&share.terms);
            share.grads
        });
        (summed(grads.collect()), terms)
    }
}

impl Terms {
    fn add(&mut self, other: &Self) {
        self.policy_loss += other.policy_loss;
        self.value_loss += other.value_loss;
        self.entropy += other.entropy;
        self.error += other.error;
        self.returns += other.returns;
        self.square_returns += other.square_returns;
    }

    /// 1 - Var(R - V) / Var(R). The value loss is the mean of (R - V)^2.
    pub(super) fn explained_variance(&self) -> f64 {
        let unexplained = self.value_loss - self.error * self.error;
        1.0 - unexplained / (self.square_returns - self.returns * self.returns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_variance_is_one_for_a_perfect_critic_and_zero_for_one_that_knows_the_mean() {
        // Returns 0 and 2, values 0 and 2, then 1 and 1.
        let returns = Terms {
            returns: 1.0,
            square_returns: 2.0,
            ..Terms::default()
        };
        assert!((returns.explained_variance() - 1.0).abs() < 1e-12);
        let mean_only = Terms {
            value_loss: 1.0,
            ..returns
        };
        assert!(mean_only.explained_variance().abs() < 1e-12);
    }
}
