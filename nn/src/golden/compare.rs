//! What the golden tests of this crate and of `toys` share: tensors that both languages fill by one formula, and the comparison.

use serde_json::Value;
use tch::{Kind, Tensor};

/// `scale * sin(1.7 i + phase)`, `i` the index in row-major order.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the same rounding as PyTorch's; the indices are small"
)]
pub(crate) fn wave(shape: &[i64], scale: f64, phase: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|i| (scale * (1.7 * i as f64 + phase).sin()) as f32)
        .collect();
    Tensor::from_slice(&values).view(shape)
}

/// That every element is within `tolerance` of the golden one, measured by the greatest of these.
pub(crate) fn assert_close(got: &Tensor, expected: &Value, tolerance: f64, what: &str) {
    let got = Vec::<f64>::try_from(got.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap();
    let expected = expected.as_array().unwrap().iter();
    let expected: Vec<f64> = expected.map(|x| x.as_f64().unwrap()).collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    let greatest = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    for (idx, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let error = (got - expected).abs();
        assert!(
            error <= tolerance * greatest,
            "{what}[{idx}]: {got}, golden {expected}"
        );
    }
}
