//! Numbers in JSON, which has no word for those that are none.
//!
//! A training with too large a step ends in values that are not finite. `serde_json` writes them as `null` and would refuse to
//! read that again.

use serde::{Deserialize as _, Deserializer};

/// For `#[serde(deserialize_with)]`: a number, or for `null` `NaN`.
///
/// # Errors
/// If it is neither.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}
