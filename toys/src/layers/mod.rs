//! The layers of the paper's networks, as `TensorFlow` computes them: "SAME" padding, transposed convolutions cropped to
//! twice the size, batch normalisation. Weights are drawn by [`he_normal`](rlrun_nn::init::he_normal), biases are 0.
//!
//! As in `rlrun-nn`, shapes are `PyTorch`'s, and on the CPU memory is channels-last behind them.

mod batch_norm;
mod dense;
mod same_conv;
mod same_deconv;

pub use batch_norm::{BatchNorm2d, Mode};
pub use dense::Dense;
pub use same_conv::{SameConv2d, SameConvSpec};
pub use same_deconv::SameDeconv2d;
