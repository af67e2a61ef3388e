//! The loss of DQN.
//!
//! Source: Mnih et al. 2015 (Nature 518), algorithm 1, with what the switches add:
//!
//! ```text
//! y = r_t + discount_t * max_a Q_target(o_t, a)                        Mnih et al. 2015
//! y = r_t + discount_t * Q_target(o_t, argmax_a Q(o_t, a))             Double: van Hasselt et al. 2016, equation 4
//! loss = mean over the batch of weight * loss(y - Q(o_tm1, a_tm1))     weight 1, or Schaul et al. 2016, section 3.4
//! ```
//!
//! An n-step return (Sutton 1988) is in `r_t` and `discount_t` already, and so is the end of a return (discount 0).
//!
//! A batch may be shared out over threads. Each share then divides its sum by the size of the whole batch, so that losses and
//! gradients of the shares add up to those of the batch.

use tch::{Kind, Reduction, Tensor};

use super::LossKind;

/// What happened after a share's observations.
#[derive(Debug)]
pub(super) struct Outcome {
    /// \[N\] (i64) the actions taken.
    pub(super) action_tm1: Tensor,
    /// \[N\] the discounted sum of rewards that followed.
    pub(super) reward_t: Tensor,
    /// \[N\] what the value of the next observation counts.
    pub(super) discount_t: Tensor,
    /// \[N\] of each transition in the loss.
    pub(super) weight: Tensor,
}

impl Outcome {
    /// From \[4, N\]: actions, rewards, discounts, weights.
    pub(super) fn of(numbers: &Tensor) -> Self {
        Self {
            action_tm1: numbers.get(0).to_kind(Kind::Int64),
            reward_t: numbers.get(1),
            discount_t: numbers.get(2),
            weight: numbers.get(3),
        }
    }
}

/// The loss and its parts.
#[derive(Debug)]
pub(super) struct Loss {
    /// \[N, A\] the gradient of what is minimised, with respect to `q_tm1`.
    pub(super) slope: Tensor,
    /// \[N\] `y - Q(o_tm1, a_tm1)`.
    pub(super) td_error: Tensor,
    /// \[N\] `Q(o_tm1, a_tm1)`.
    pub(super) q_taken: Tensor,
    /// \[N\] weight * loss of each transition.
    pub(super) terms: Tensor,
}

/// The value that the target network gives `o_t`.
///
/// # Shapes
/// `q_target_t` \[N, A\] of the target network, and for Double `q_t` \[N, A\] of the online one; gives \[N\].
pub(super) fn bootstrap(q_target_t: &Tensor, q_t: Option<&Tensor>) -> Tensor {
    match q_t {
        None => q_target_t.amax([1], false),                  // [N]
        Some(q_t) => take(q_target_t, &q_t.argmax(1, false)), // [N]
    }
}

/// The loss of a batch of `n_total`, or a share of it. Nothing of it is in libtorch's graph: the slopes of both losses are known.
///
/// # Shapes
/// `q_tm1` \[N, A\] of the online network; `value_t` \[N\] from [`bootstrap`].
pub(super) fn loss(
    q_tm1: &Tensor,
    value_t: &Tensor,
    outcome: &Outcome,
    kind: LossKind,
    n_total: f64,
) -> Loss {
    let q_tm1 = q_tm1.detach();
    let target = &outcome.reward_t + &outcome.discount_t * value_t; // [N]
    let q_taken = take(&q_tm1, &outcome.action_tm1); // [N]
    let td_error = &target - &q_taken; // [N]
    let (each, descent) = match kind {
        LossKind::Huber => (
            q_taken.huber_loss(&target, Reduction::None, 1.0), // [N]
            td_error.clamp(-1.0, 1.0),                         // [N]
        ),
        LossKind::Mse => (td_error.square(), &td_error * 2.0), // [N], [N]
    };
    let of_taken = descent * &outcome.weight * (-1.0 / n_total); // [N]
    let slope =
        q_tm1
            .zeros_like()
            .scatter(1, &outcome.action_tm1.unsqueeze(1), &of_taken.unsqueeze(1)); // [N, A]
    Loss {
        slope,
        td_error,
        q_taken,
        terms: each * &outcome.weight,
    }
}

/// The entry of each row of `q` \[N, A\] that `action` \[N\] names.
fn take(q: &Tensor, action: &Tensor) -> Tensor {
    q.gather(1, &action.unsqueeze(1), false).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Tensor {
        Tensor::from_slice(values)
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.flatten(0, -1)).unwrap()
    }

    /// Two transitions of two actions; the first is the last of its return.
    fn outcome(weight: [f32; 2]) -> Outcome {
        Outcome {
            action_tm1: Tensor::from_slice(&[1_i64, 0]),
            reward_t: row(&[1.0, -1.0]),
            discount_t: row(&[0.0, 0.5]),
            weight: row(&weight),
        }
    }

    #[test]
    fn double_asks_the_online_network_which_action_and_the_target_network_how_much() {
        let q_target = row(&[1.0, 5.0, 4.0, 2.0]).view([2, 2]);
        let q_online = row(&[9.0, 3.0, 0.0, 0.1]).view([2, 2]);
        assert_eq!(numbers(&bootstrap(&q_target, None)), [5.0, 4.0]);
        assert_eq!(numbers(&bootstrap(&q_target, Some(&q_online))), [1.0, 2.0]);
    }

    /// y = [1, -1 + 0.5 * 4] = [1, 1], Q = [0.5, 4], d = [0.5, -3].
    fn check(kind: LossKind, expected: [f32; 2], slopes: [f32; 2]) {
        let q = row(&[7.0, 0.5, 4.0, 8.0]).view([2, 2]);
        let value_t = row(&[100.0, 4.0]);
        let loss = loss(&q, &value_t, &outcome([1.0, 0.25]), kind, 8.0);
        assert_eq!(numbers(&loss.td_error), [0.5, -3.0]);
        assert_eq!(numbers(&loss.q_taken), [0.5, 4.0]);
        assert_eq!(numbers(&loss.terms), expected);
        let expected = [0.0, slopes[0] / 8.0, slopes[1] / 8.0, 0.0];
        assert_eq!(numbers(&loss.slope), expected);
    }

    #[test]
    fn huber_has_its_known_values_and_a_slope_of_at_most_the_weight() {
        check(LossKind::Huber, [0.125, 0.25 * 2.5], [-0.5, 0.25]);
    }

    #[test]
    fn mse_has_its_known_values_without_a_half() {
        check(LossKind::Mse, [0.25, 0.25 * 9.0], [-1.0, 0.25 * 6.0]);
    }
}
