//! The loss of A2C.
//!
//! Source: Mnih et al. 2016 (arXiv 1602.01783), section 4 and supplement S3, in the form that Baselines gave it
//! (`baselines/a2c/a2c.py`): every term is a mean over the batch, and the value loss carries no half.
//!
//! A batch may be shared out over threads. Each share then divides its sums by the size of the whole batch, so that losses and
//! gradients of the shares add up to those of the batch.

use tch::{Kind, Tensor};

/// The weights of the loss's terms, and the size of the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    /// Of the entropy bonus.
    pub(super) entropy: f64,
    /// Of the value loss.
    pub(super) value: f64,
    /// Transitions in the whole batch.
    pub(super) n_total: f64,
}

/// The loss and its terms, each a scalar tensor.
#[derive(Debug)]
pub(super) struct Loss {
    /// What is minimised: the policy's loss - `weights.entropy` x entropy + `weights.value` x the value's loss.
    pub(super) total: Tensor,
    /// - mean of log pi(a|s) (R - V(s)), the advantage held constant.
    pub(super) policy: Tensor,
    /// mean of (R - V(s))^2.
    pub(super) value: Tensor,
    /// mean of the policy's entropy, in nats.
    pub(super) entropy: Tensor,
}

/// The loss of a batch, or a share of it.
///
/// # Shapes
/// `logits` \[N, A\], `value` \[N\] from the network; `action` \[N\] (i64) taken; `returns` \[N\] the n-step returns.
pub(super) fn loss(
    logits: &Tensor,
    value: &Tensor,
    action: &Tensor,
    returns: &Tensor,
    weights: Weights,
) -> Loss {
    let log_pi = logits.log_softmax(-1, Kind::Float); // [N, A]
    let log_pi_a = log_pi.gather(1, &action.unsqueeze(1), false).squeeze_dim(1); // [N]
    let error = returns - value; // [N]
    let advantage = error.detach(); // [N]

    let mean = |tensor: Tensor| tensor.sum(Kind::Float) / weights.n_total; // []
    let policy = -mean(log_pi_a * advantage); // []
    let value = mean(error.square()); // []
    let entropy = -mean(log_pi.exp() * &log_pi); // []

    Loss {
        total: &policy - &entropy * weights.entropy + &value * weights.value,
        policy,
        value,
        entropy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(tensor: &Tensor) -> f64 {
        f64::try_from(tensor).expect("a scalar")
    }

    #[test]
    fn the_terms_have_their_known_values() {
        // Two actions with probabilities 1/4 and 3/4; the second was taken. R = 3, V = 1.
        let logits = Tensor::from_slice(&[0.0_f32, 3.0_f32.ln()])
            .view([1, 2])
            .set_requires_grad(true);
        let value = Tensor::from_slice(&[1.0_f32]).set_requires_grad(true);
        let weights = Weights {
            entropy: 0.5,
            value: 0.25,
            n_total: 1.0,
        };
        let loss = loss(
            &logits,
            &value,
            &Tensor::from_slice(&[1_i64]),
            &Tensor::from_slice(&[3.0_f32]),
            weights,
        );
        let (p, q) = (0.25_f64, 0.75_f64);
        let entropy = -(p * p.ln() + q * q.ln());
        assert!((scalar(&loss.policy) + 2.0 * q.ln()).abs() < 1e-6);
        assert!((scalar(&loss.value) - 4.0).abs() < 1e-6);
        assert!((scalar(&loss.entropy) - entropy).abs() < 1e-6);
        let total = -2.0 * q.ln() - 0.5 * entropy + 0.25 * 4.0;
        assert!((scalar(&loss.total) - total).abs() < 1e-6);

        // The value's gradient comes from its own loss alone: w_V * d(R - V)^2/dV = 0.25 * -2 * 2.
        let gradients = Tensor::run_backward(&[&loss.total], &[&logits, &value], false, false);
        assert!((gradients[1].double_value(&[0]) + 1.0).abs() < 1e-6);
        // The logits': (pi - onehot) * advantage + w_H * pi * (log pi + H).
        let expected = |pi: f64, taken: f64| (pi - taken) * 2.0 + 0.5 * pi * (pi.ln() + entropy);
        assert!((gradients[0].double_value(&[0, 0]) - expected(p, 0.0)).abs() < 1e-6);
        assert!((gradients[0].double_value(&[0, 1]) - expected(q, 1.0)).abs() < 1e-6);
    }
}
