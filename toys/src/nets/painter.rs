//! The second half of the `CoordConv` renderer (Liu et al. 2018, section 5; `coordconv_rendering` in the released code): five
//! convolutions that paint a square where the first half, a network of the pixels' coordinates, puts probability.

use rand::Rng;
use rlrun_nn::Params;
use tch::Tensor;

use crate::layers::{SameConv2d, SameConvSpec};

/// Channels that come out of each layer but the last, in units of the width.
const CHANNELS: [i64; 4] = [8, 8, 16, 16];

/// The network.
#[derive(Debug)]
pub struct Painter {
    hidden: Vec<SameConv2d>,
    last: SameConv2d,
}

impl Painter {
    /// Parameters `paint1.weight`, `paint1.bias` ... `paint5.bias`. `width` multiplies the channels (the paper's sweep has 1
    /// and 2), `filter` is the kernel of every layer (1 in the sweep, 3 the released default).
    pub fn new(params: &mut Params, width: i64, filter: i64, rng: &mut impl Rng) -> Self {
        let mut n_in = 1;
        let mut conv = |layer: usize, n_out| {
            let spec = SameConvSpec::new(n_in, n_out, filter);
            n_in = n_out;
            SameConv2d::new(params, &format!("paint{layer}"), spec, rng)
        };
        let hidden = (1..).zip(CHANNELS);
        Self {
            hidden: hidden
                .map(|(layer, channels)| conv(layer, channels * width))
                .collect(),
            last: conv(CHANNELS.len() + 1, 1),
        }
    }

    /// # Shapes
    /// `[B, 1, 64, 64] -> [B, 4096]`, a logit per pixel, row by row.
    pub fn forward(&self, image: &Tensor) -> Tensor {
        let mut x = image.shallow_clone();
        for conv in &self.hidden {
            x = conv.forward(&x).relu_();
        }
        self.last.forward(&x).flatten(1, -1)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;

    /// The pixel network in front of it has 7,553.
    #[test]
    fn parameters_are_counted_as_published() {
        for (filter, width, whole) in [(1, 1, 8_074), (1, 2, 9_490), (3, 1, 11_850), (3, 2, 24_210)]
        {
            let mut params = Params::new(Device::Cpu);
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let _ = Painter::new(&mut params, width, filter, &mut rng);
            assert_eq!(params.n_elements(), whole - 7_553, "{filter}, {width}");
        }
    }
}
