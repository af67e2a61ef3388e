//! A fully connected layer, `y = W x + b`, with Keras' first weights.

use rand::Rng;
use rlrun_nn::Params;
use rlrun_nn::init::he_normal;
use tch::{Device, Kind, Tensor};

/// A fully connected layer.
#[derive(Debug)]
pub struct Dense {
    weight: Tensor, // [out, in]
    bias: Tensor,   // [out]
}

impl Dense {
    /// A layer `name.weight`, he-normal, and `name.bias`, zero. `sizes` is (in, out).
    pub fn new(params: &mut Params, name: &str, sizes: (i64, i64), rng: &mut impl Rng) -> Self {
        let (n_in, n_out) = sizes;
        let bias = Tensor::zeros([n_out], (Kind::Float, Device::Cpu));
        Self {
            weight: params.add(
                format!("{name}.weight"),
                he_normal(&[n_out, n_in], n_in, rng),
            ),
            bias: params.add(format!("{name}.bias"), bias),
        }
    }

    /// # Shapes
    /// `[B, in] -> [B, out]`
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}
