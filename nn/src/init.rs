//! Initial weights. [`Init`] names the three ways in which the agents' networks start: orthogonal (Saxe et al. 2014) with the
//! gains of `OpenAI` Baselines' A2C, which are sqrt 2 for convolutions and the fully connected layer, [`POLICY_GAIN`] and
//! [`VALUE_GAIN`] for the heads; Torch's; and Xavier's. And [`he_normal`] (He et al. 2015) as Keras draws it.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// The gain of a layer that a `ReLU` follows.
pub const RELU_GAIN: f64 = std::f64::consts::SQRT_2;
/// The gain of the policy head: small, so that the first policy is nearly uniform.
pub const POLICY_GAIN: f64 = 0.01;
/// The gain of the value head.
pub const VALUE_GAIN: f64 = 1.0;
/// The standard deviation of a standard normal number, given that it is within [`TRUNCATION`].
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;
/// Where [`he_normal`] cuts the normal distribution off, standard deviations of the uncut one.
const TRUNCATION: f64 = 2.0;

/// How the weights and biases of a layer start, as configuration files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// [`orthogonal`] weights with the layer's gain, biases 0.
    Orthogonal,
    /// Weights and biases uniform within `1 / sqrt(fan_in)`: Torch7, and so Mnih et al. 2015 and `dqn_zoo`; `PyTorch`'s
    /// default (`kaiming_uniform_` with a = sqrt 5 is the same bound). It knows no gain.
    Torch,
    /// Weights uniform within `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010, equation 16), biases 0: Dopamine. It
    /// knows no gain.
    XavierUniform,
}

impl Init {
    /// The weight and the bias of a layer. `fan_in` is the number of inputs that one output sums over, coordinate channels
    /// included; `fan_out` the number of outputs that one input reaches: `out * k * k` for a convolution.
    ///
    /// # Shapes
    /// `shape` is `[out, in, ..]`; the bias `[out]`; both f32 on the CPU.
    ///
    /// # Panics
    /// If a size is not positive.
    pub fn draw(self, shape: &[i64], gain: f64, rng: &mut impl Rng) -> (Tensor, Tensor) {
        let fan_in: i64 = shape[1..].iter().product();
        let fan_out = shape[0] * shape[2..].iter().product::<i64>();
        let zeros = || Tensor::zeros([shape[0]], (Kind::Float, Device::Cpu));
        match self {
            Self::Orthogonal => (orthogonal(shape, gain, rng), zeros()),
            Self::Torch => {
                let bound = 1.0 / count(fan_in).sqrt();
                let weight = uniform(shape, bound, rng);
                (weight, uniform(&shape[..1], bound, rng))
            }
            Self::XavierUniform => {
                let bound = (6.0 / count(fan_in + fan_out)).sqrt();
                (uniform(shape, bound, rng), zeros())
            }
        }
    }
}

/// Numbers uniform in -`bound` to `bound`, f32 on the CPU.
fn uniform(shape: &[i64], bound: f64, rng: &mut impl Rng) -> Tensor {
    let n_weights = usize::try_from(shape.iter().product::<i64>()).expect("positive sizes");
    let draws: Vec<f32> = (0..n_weights)
        .map(|_| f32_of(bound * (2.0 * rng.random::<f64>() - 1.0)))
        .collect();
    Tensor::from_slice(&draws).view(shape)
}

/// A weight's precision.
#[expect(
    clippy::cast_possible_truncation,
    reason = "drawn in f64 and rounded once to the precision of the weights"
)]
fn f32_of(x: f64) -> f32 {
    x as f32
}

/// A number of inputs or outputs.
fn count(n: i64) -> f64 {
    f64::from(u32::try_from(n).expect("positive sizes, and fewer connections than 2^32"))
}

/// A weight whose matrix `[shape[0], rest]` has orthogonal rows of length `gain` (orthogonal columns, if it has more rows
/// than columns).
///
/// The Q of the QR decomposition of a normal matrix; multiplying each column by the sign of R's diagonal makes it uniform
/// over the orthogonal matrices (Mezzadri 2007). In f64, so that the f32 result does not depend on the last bits.
///
/// # Shapes
/// `shape`, f32 on the CPU.
///
/// # Panics
/// If a size is not positive.
pub fn orthogonal(shape: &[i64], gain: f64, rng: &mut impl Rng) -> Tensor {
    assert!(
        !shape.is_empty() && shape.iter().all(|&n| n > 0),
        "orthogonal weights need positive sizes, got {shape:?}"
    );
    let n_rows = shape[0];
    let n_cols: i64 = shape[1..].iter().product();
    let (tall, wide) = (n_rows.max(n_cols), n_rows.min(n_cols));
    let normal: Vec<f64> = StandardNormal
        .sample_iter(rng)
        .take(usize::try_from(tall * wide).expect("positive sizes"))
        .collect();
    let (q, r) = Tensor::linalg_qr(&Tensor::from_slice(&normal).view([tall, wide]), "reduced");
    let q = q * r.diagonal(0, 0, 1).sign();
    let matrix = if n_rows < n_cols { q.tr() } else { q };
    (matrix * gain)
        .to_kind(Kind::Float)
        .contiguous()
        .view(shape)
}

/// Keras' `he_normal`: a normal distribution whose numbers beyond two standard deviations are drawn again, widened so that
/// the variance of what is left is `2 / fan_in`. `fan_in` is the number of inputs that one output sums over, as Keras counts
/// it: `in * k * k` for a convolution.
///
/// # Shapes
/// `shape`, f32 on the CPU.
///
/// # Panics
/// If a size or `fan_in` is not positive.
pub fn he_normal(shape: &[i64], fan_in: i64, rng: &mut impl Rng) -> Tensor {
    assert!(
        fan_in > 0 && shape.iter().all(|&n| n > 0),
        "he_normal weights need positive sizes, got {shape:?} with a fan-in of {fan_in}"
    );
    let n_weights = usize::try_from(shape.iter().product::<i64>()).expect("positive sizes");
    let normal: Vec<f64> = StandardNormal
        .sample_iter(rng)
        .filter(|x: &f64| x.abs() <= TRUNCATION)
        .take(n_weights)
        .collect();
    let std = (2.0 / count(fan_in)).sqrt() / TRUNCATED_STD;
    (Tensor::from_slice(&normal) * std)
        .to_kind(Kind::Float)
        .view(shape)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn rows_or_columns_are_orthogonal_with_length_gain() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (shape, gain) in [
            (vec![32_i64, 6, 8, 8], RELU_GAIN),
            (vec![64, 10], 1.0),
            (vec![9, 512], 0.01),
            (vec![1, 7], 1.0),
            (vec![5, 5], 2.0),
        ] {
            let weight = orthogonal(&shape, gain, &mut rng);
            assert_eq!(weight.size(), shape);
            let matrix = weight.view([shape[0], -1]).to_kind(Kind::Double);
            let wide = matrix.size()[0].min(matrix.size()[1]);
            let gram = if matrix.size()[0] <= matrix.size()[1] {
                matrix.matmul(&matrix.tr())
            } else {
                matrix.tr().matmul(&matrix)
            };
            let expected = Tensor::eye(wide, (Kind::Double, Device::Cpu)) * gain * gain;
            let error = (gram - expected).abs().max().double_value(&[]);
            assert!(error < 1e-6 * gain * gain, "{shape:?}: {error}");
        }
    }

    /// That no number is beyond `bound`, and that they fill it: variance bound^2 / 3.
    fn check_uniform(x: &Tensor, bound: f64) {
        let x = x.to_kind(Kind::Double);
        let greatest = x.abs().max().double_value(&[]);
        assert!(greatest <= bound * (1.0 + 1e-7), "{greatest} of {bound}");
        let std = x.std(true).double_value(&[]) * 3.0_f64.sqrt() / bound;
        assert!((std - 1.0).abs() < 0.1, "{std}");
    }

    #[test]
    fn torch_weights_and_biases_are_uniform_within_the_root_of_the_fan_in() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        // 6 channels of 8x8, as PyTorch counts a convolution of an image with its coordinates.
        for (shape, fan_in) in [(vec![256_i64, 6, 8, 8], 384.0_f64), (vec![512, 64], 64.0)] {
            let (weight, bias) = Init::Torch.draw(&shape, RELU_GAIN, &mut rng);
            assert_eq!(
                (weight.size(), bias.size()),
                (shape.clone(), vec![shape[0]])
            );
            check_uniform(&weight, 1.0 / fan_in.sqrt());
            check_uniform(&bias, 1.0 / fan_in.sqrt());
        }
    }

    #[test]
    fn xavier_weights_are_uniform_between_both_fans_and_its_biases_0() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for (shape, fans) in [
            (vec![32_i64, 4, 8, 8], 256.0 + 2048.0),
            (vec![9, 512], 521.0),
        ] {
            let (weight, bias) = Init::XavierUniform.draw(&shape, RELU_GAIN, &mut rng);
            check_uniform(&weight, (6.0_f64 / fans).sqrt());
            assert_eq!(bias, Tensor::zeros([shape[0]], (Kind::Float, Device::Cpu)));
        }
    }

    #[test]
    fn an_init_has_the_name_that_files_use() {
        let parse = |name: &str| {
            let table: toml::Table = toml::from_str(&format!("init = '{name}'")).unwrap();
            table["init"].clone().try_into::<Init>()
        };
        assert_eq!(parse("orthogonal"), Ok(Init::Orthogonal));
        assert_eq!(parse("torch"), Ok(Init::Torch));
        assert_eq!(parse("xavier_uniform"), Ok(Init::XavierUniform));
        assert!(parse("he").is_err());
    }

    #[test]
    fn a_seed_decides_the_weights() {
        let draw = |seed| orthogonal(&[4, 6], 1.0, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    /// Without the sign correction the first diagonal element of Q would always be negative (LAPACK's Householder sign).
    #[test]
    fn signs_are_not_biased() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let n_positive = (0..200)
            .filter(|_| orthogonal(&[3, 3], 1.0, &mut rng).double_value(&[0, 0]) > 0.0)
            .count();
        assert!((70..130).contains(&n_positive), "{n_positive} of 200");
    }

    #[test]
    fn he_normal_has_the_variance_asked_for_and_no_tails() {
        let weight = he_normal(&[40, 25, 10, 10], 50, &mut ChaCha8Rng::seed_from_u64(7));
        assert_eq!(weight.size(), [40, 25, 10, 10]);
        let weight = weight.to_kind(Kind::Double);
        let std = weight.std(true).double_value(&[]);
        let mean = weight.mean(Kind::Double).double_value(&[]);
        let greatest = weight.abs().max().double_value(&[]);
        assert!((std / 0.2 - 1.0).abs() < 0.01, "std {std}");
        assert!(mean.abs() < 0.003, "mean {mean}");
        let cut = TRUNCATION * 0.2 / TRUNCATED_STD;
        assert!(
            greatest <= cut + 1e-7 && greatest > 0.99 * cut,
            "{greatest}"
        );
    }

    #[test]
    #[should_panic(expected = "need positive sizes, got [2, 0] with a fan-in of 3")]
    fn he_normal_refuses_empty_weights() {
        let _ = he_normal(&[2, 0], 3, &mut ChaCha8Rng::seed_from_u64(1));
    }
}
