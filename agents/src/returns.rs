//! n-step returns over a rollout.
//!
//! Source: Mnih et al. 2016, "Asynchronous Methods for Deep Reinforcement Learning", algorithm S3:
//! `R <- r_t + gamma R`, backwards from the value of the observation after the last step.
//! Deviation: a return that a time limit cuts off goes on with the value of the observation it was cut off at
//! (Pardo et al. 2018, "Time Limits in Reinforcement Learning"); one that really ended does not.

/// What became of the return at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// It goes on with the next step.
    None,
    /// It ended here: nothing follows.
    Terminated,
    /// A time limit cut it off; `value` is the value of the observation it was cut off at.
    Truncated {
        /// Value of the final observation.
        value: f32,
    },
}

/// Writes the n-step return of every step into `returns`.
///
/// # Shapes
/// `reward`, `ending` and `returns` are \[T, B\], rows of B environments step after step; `bootstrap` is \[B\], the values
/// of the observations after the last step.
///
/// # Panics
/// If the lengths do not fit these shapes.
pub fn n_step_returns(
    reward: &[f32],
    ending: &[Ending],
    bootstrap: &[f32],
    discount: f32,
    returns: &mut [f32],
) {
    let n_envs = bootstrap.len();
    assert_eq!(reward.len(), ending.len());
    assert_eq!(reward.len(), returns.len());
    assert_eq!(reward.len() % n_envs, 0);
    for (env, &value) in bootstrap.iter().enumerate() {
        let mut following = value;
        for idx in (env..reward.len()).step_by(n_envs).rev() {
            let continuation = match ending[idx] {
                Ending::None => following,
                Ending::Terminated => 0.0,
                Ending::Truncated { value } => value,
            };
            following = reward[idx] + discount * continuation;
            returns[idx] = following;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number here is a small multiple of 1/8, so that nothing is rounded.
    fn assert_same(got: &[f32], expected: &[f32]) {
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(got), bits(expected), "{got:?}, expected {expected:?}");
    }

    /// Rewards 1, 2, 3, discount 1/2, bootstrap value 8, of one environment.
    fn check(ending: [Ending; 3], expected: [f32; 3]) {
        let mut returns = [0.0; 3];
        n_step_returns(&[1.0, 2.0, 3.0], &ending, &[8.0], 0.5, &mut returns);
        assert_same(&returns, &expected);
    }

    #[test]
    fn an_unbroken_rollout_bootstraps_from_its_last_observation() {
        check([Ending::None; 3], [1.0 + 1.0 + 0.75 + 1.0, 5.5, 7.0]);
    }

    #[test]
    fn nothing_follows_a_termination_at_any_position() {
        let (on, end) = (Ending::None, Ending::Terminated);
        check([end, on, on], [1.0, 5.5, 7.0]);
        check([on, end, on], [2.0, 2.0, 7.0]);
        check([on, on, end], [2.75, 3.5, 3.0]);
        check([end, end, end], [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_truncation_bootstraps_from_its_own_final_observation_at_any_position() {
        let (on, cut) = (Ending::None, Ending::Truncated { value: 4.0 });
        check([cut, on, on], [3.0, 5.5, 7.0]);
        check([on, cut, on], [3.0, 4.0, 7.0]);
        check([on, on, cut], [3.25, 4.5, 5.0]);
    }

    #[test]
    fn environments_do_not_mix() {
        let mut returns = [0.0; 4];
        let ending = [Ending::None, Ending::None, Ending::None, Ending::Terminated];
        n_step_returns(
            &[1.0, 10.0, 2.0, 20.0],
            &ending,
            &[4.0, 400.0],
            0.5,
            &mut returns,
        );
        assert_same(&returns, &[3.0, 20.0, 4.0, 20.0]);
    }
}
