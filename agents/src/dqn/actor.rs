//! What chooses actions: a copy of the online network, and epsilon-greedy exploration.

use rand::{Rng, RngExt as _};
use rlrun_nn::copy_all;
use tch::Tensor;

use super::network::Network;

/// A copy of the online network. It may act on another thread while the agent learns, for it changes at
/// [`Actor::refresh`] only.
#[derive(Debug)]
pub struct Actor {
    pub(super) network: Network,
    /// What it computes with.
    pub(super) params: Vec<Tensor>,
    /// What the agent's online network computes with.
    pub(super) source: Vec<Tensor>,
}

impl Actor {
    /// Copies the agent's online parameters, as they are now. The agent must not be in [`super::Dqn::apply`] meanwhile.
    pub fn refresh(&self) {
        copy_all(&self.source, &self.params);
    }

    /// As [`super::Dqn::fills_a_pool`].
    pub fn fills_a_pool(&self) -> bool {
        self.network.fills_a_pool()
    }

    /// The values of all actions in a batch of observations, written to `values`.
    ///
    /// # Shapes
    /// `obs` \[b, C, H, W\] bytes; `values` becomes \[b, A\].
    pub fn q_values(&self, obs: &[u8], values: &mut Vec<f32>) {
        self.network.q_values(obs, values);
    }
}

/// A random action with probability `epsilon`, else the greedy one. Source: Mnih et al. 2015, algorithm 1.
///
/// # Panics
/// If `q` is empty or holds more than 256 values: an action is one byte.
pub fn epsilon_greedy(q: &[f32], epsilon: f64, rng: &mut impl Rng) -> u8 {
    random_action(q.len(), epsilon, rng).unwrap_or_else(|| greedy(q))
}

/// With probability `epsilon` one of `n_actions`, each as likely; else none, and only then are values needed.
///
/// # Panics
/// If there are no actions or more than 256.
pub fn random_action(n_actions: usize, epsilon: f64, rng: &mut impl Rng) -> Option<u8> {
    assert!(
        (1..=256).contains(&n_actions),
        "exploration of {n_actions} actions"
    );
    let explores = rng.random::<f64>() < epsilon;
    explores.then(|| byte(rng.random_range(0..n_actions)))
}

/// The action of the greatest value; of several, the first.
///
/// # Panics
/// As [`epsilon_greedy`].
pub fn greedy(q: &[f32]) -> u8 {
    assert!(
        (1..=256).contains(&q.len()),
        "the greatest of {} values",
        q.len()
    );
    let best = (1..q.len()).fold(0, |best, idx| if q[idx] > q[best] { idx } else { best });
    byte(best)
}

fn byte(action: usize) -> u8 {
    u8::try_from(action).expect("at most 256 actions were asserted above")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Consumer, stream};

    #[test]
    fn the_greedy_action_is_the_first_of_the_greatest() {
        for (q, expected) in [
            (vec![-1.0], 0),
            (vec![0.0, 2.0, 2.0], 1),
            (vec![3.0, 3.0], 0),
            (vec![-3.0, -2.0, -4.0], 1),
        ] {
            assert_eq!(greedy(&q), expected, "{q:?}");
            let mut rng = stream(1, Consumer::Exploration, 0, 0);
            assert_eq!(epsilon_greedy(&q, 0.0, &mut rng), expected, "{q:?}");
        }
    }

    #[test]
    fn random_actions_are_as_often_as_epsilon_says_and_each_as_often_as_another() {
        let mut counts = [0_u32; 4];
        for step in 0..8_000 {
            let mut rng = stream(7, Consumer::Exploration, step, 0);
            let action = epsilon_greedy(&[0.0, 1.0, 0.0, 0.0], 0.4, &mut rng);
            counts[usize::from(action)] += 1;
        }
        // 0.1 each, and 0.6 more for the greedy one; three standard deviations are at most 125.
        for (count, expected) in counts.into_iter().zip([800_u32, 5_600, 800, 800]) {
            assert!(count.abs_diff(expected) <= 125, "{counts:?}");
        }
    }

    #[test]
    fn an_epsilon_of_one_never_asks_for_values() {
        for step in 0..100 {
            let mut rng = stream(7, Consumer::Exploration, step, 0);
            assert!(random_action(18, 1.0, &mut rng).is_some_and(|action| action < 18));
        }
    }
}
