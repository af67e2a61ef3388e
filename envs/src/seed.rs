//! One seed per environment, so that no two of them play the same game.
//!
//! Source: OpenAI Baselines strides by 10,000 (`seed + 10000 * rank + idx`); ALE's own vector environment counts up by
//! one, so that its runs with seeds s and s + 1 share all environments but one.

/// Seeds that belong to one master seed. Odd, so that the 2^31 seeds of ALE are all used before one comes again.
const STRIDE: u64 = 10_007;

/// The seed of environment `env_idx` (counted over all groups) in a run with this master seed.
///
/// Below 10,007 environments, two different pairs of master seed and environment get different seeds as long as the
/// master seeds lie less than 200,000 apart (2^31 / 10,007, less one window). The result fits ALE's signed 32 bits.
pub fn env_seed(master: u64, env_idx: usize) -> u32 {
    let sum = master.wrapping_mul(STRIDE).wrapping_add(env_idx as u64);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 31 bits are what is wanted"
    )]
    let low = sum as u32;
    low & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nearby_master_seeds_share_no_environment_seed() {
        for first in [0, 1, 77, u64::MAX - 20, 1 << 40] {
            let seeds: Vec<u32> = (0..20)
                .flat_map(|k| (0..500).map(move |idx| env_seed(first + k, idx)))
                .collect();
            let distinct: HashSet<u32> = seeds.iter().copied().collect();
            assert_eq!(distinct.len(), seeds.len(), "first master seed {first}");
        }
    }

    #[test]
    fn seeds_fit_into_the_signed_32_bits_of_ale() {
        for master in [0, 1, 214_600, 1 << 31, u64::MAX] {
            assert!(
                i32::try_from(env_seed(master, 9_999)).is_ok(),
                "master {master}"
            );
        }
    }
}
