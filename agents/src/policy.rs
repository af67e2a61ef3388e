//! Actions drawn from a policy's logits.
//!
//! Sampling happens here, in 64-bit floats under a keyed stream, and not in libtorch, whose global generator can be
//! neither saved nor shared out between environments.

use rand::{Rng, RngExt};

/// Draws an action with probability softmax(`logits`)\[action\], by inverting the cumulative distribution.
///
/// # Panics
/// If `logits` is empty or holds more than 256 entries: an action is one byte.
pub fn sample(logits: &[f32], rng: &mut impl Rng) -> u8 {
    assert!(
        (1..=256).contains(&logits.len()),
        "a policy over {} actions",
        logits.len()
    );
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: f32| f64::from(logit - max).exp();
    let total: f64 = logits.iter().map(|&logit| weight(logit)).sum();
    let mut left = rng.random::<f64>() * total;
    let mut action = 0;
    for (idx, &logit) in logits.iter().enumerate() {
        action = idx;
        left -= weight(logit);
        if left < 0.0 {
            break;
        }
    }
    u8::try_from(action).expect("at most 256 actions were asserted above")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Consumer, stream};

    #[test]
    fn actions_come_as_often_as_their_probability_says() {
        let logits = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 5.0_f32.ln()];
        let mut counts = [0_u32; 4];
        for step in 0..8_000 {
            let mut rng = stream(7, Consumer::Action, step, 0);
            counts[usize::from(sample(&logits, &mut rng))] += 1;
        }
        // Probabilities 1/8, 2/8, 0, 5/8; three standard deviations of a binomial of 8000 draws are at most 130.
        for (count, expected) in counts.into_iter().zip([1_000_u32, 2_000, 0, 5_000]) {
            assert!(count.abs_diff(expected) <= 130, "{counts:?}");
        }
        assert_eq!(counts[2], 0);
    }

    #[test]
    fn a_single_action_and_a_huge_logit_are_certain() {
        let mut rng = stream(7, Consumer::Action, 0, 0);
        assert_eq!(sample(&[-3.0], &mut rng), 0);
        assert_eq!(sample(&[-1e30, 1e30, 0.0], &mut rng), 1);
    }
}
