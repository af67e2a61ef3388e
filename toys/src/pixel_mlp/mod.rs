//! The `CoordConv` network of the coordinate tasks (Liu et al. 2018, section 4.1): a location in, one number per pixel out.
//!
//! ```text
//! (x, y), the same at every pixel ---+
//! (xx, yy), the same for every image +-> 1x1 conv 32m ReLU -> 32m ReLU -> 64m ReLU -> 64m ReLU -> 1     logits [B, 4096]
//! ```
//!
//! A 1x1 convolution treats each pixel alone, so the network is a small perceptron that is asked 4096 times per image. Three
//! things make it fast, none of which changes what is computed beyond rounding:
//!
//! * The first layer is linear in (x, y) and (xx, yy), so its sum falls into a vector per image, one per canvas row and one
//!   per canvas column; nothing is tiled to 64x64.
//! * A few pixels at a time go through all layers while their activations are in the nearest cache (`kernel`), forward and
//!   again backward. Keeping the activations of a whole batch instead would cost more in memory traffic than the second forward
//!   pass in arithmetic.
//! * A softmax that has learned something is zero nearly everywhere, and with it the gradient. Pixels that carry no more than
//!   [`IGNORED_SHARE`] of an image's gradient all together are left out of the backward pass.
//!
//! Gradients are computed image by image and summed in the order of the batch: the number of threads changes no bit.

mod frozen;
mod gradient;
mod kernel;
#[cfg(test)]
mod tests;

use rand::Rng;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use rlrun_nn::Params;
use rlrun_nn::init::he_normal;

pub use frozen::FrozenMlp;
pub use gradient::IGNORED_SHARE;

/// Channels that go in: x, y, xx, yy.
const N_IN: i64 = 4;

/// The network's parameters, as those of the convolutions they are: `conv1.weight [32m, 4, 1, 1]`, `conv1.bias` and so on.
#[derive(Debug)]
pub struct PixelMlp {
    weights: Vec<Tensor>, // [out, in, 1, 1]
    biases: Vec<Tensor>,  // [out]
}

impl PixelMlp {
    /// The network of width `m`, `he_normal` with zero biases as in the released code; parameters `conv1` to `conv5`.
    pub fn new(params: &mut Params, width: i64, rng: &mut impl Rng) -> Self {
        let channels = [N_IN, 32 * width, 32 * width, 64 * width, 64 * width, 1];
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (layer_idx, sizes) in channels.windows(2).enumerate() {
            let name = format!("conv{}", layer_idx + 1);
            let weight = he_normal(&[sizes[1], sizes[0], 1, 1], sizes[0], rng);
            weights.push(params.add(format!("{name}.weight"), weight));
            let bias = Tensor::zeros([sizes[1]], (Kind::Float, Device::Cpu));
            biases.push(params.add(format!("{name}.bias"), bias));
        }
        Self { weights, biases }
    }

    /// How many tensors its parameters are.
    pub(crate) fn n_tensors(&self) -> usize {
        self.weights.len() + self.biases.len()
    }

    /// The network as it is now, for any number of threads; to be made anew after each update.
    ///
    /// # Panics
    /// If the parameters are not on the CPU.
    pub fn freeze(&self) -> FrozenMlp {
        let values = |tensor: &Tensor| {
            Vec::<f32>::try_from(tensor.detach().flatten(0, -1)).expect("f32 on the CPU")
        };
        let weights: Vec<_> = self.weights.iter().map(values).collect();
        let biases: Vec<_> = self.biases.iter().map(values).collect();
        FrozenMlp::new(&weights, &biases)
    }

    /// Gradients in the order of the parameters, from those of one batch as [`FrozenMlp::gradient`] gives them.
    fn tensors_of(&self, gradient: &[f32]) -> Vec<Tensor> {
        let mut rest = gradient;
        let mut take = |n: usize| {
            let (values, after) = rest.split_at(n);
            rest = after;
            Tensor::from_slice(values)
        };
        let layers = self.weights.iter().zip(&self.biases);
        layers
            .flat_map(|(weight, bias)| {
                let (n_out, n_in, ..) = weight.size4().expect("a weight has four axes");
                let weight = take(weight.numel()).view([n_in, n_out, 1, 1]);
                let bias = take(bias.numel());
                [weight.transpose(0, 1).contiguous(), bias]
            })
            .collect()
    }

    /// The gradient of a loss with respect to the parameters, from that with respect to the logits.
    ///
    /// `frozen` is this network as it was when it gave the logits.
    ///
    /// # Shapes
    /// `inputs` are B pairs (x, y); `dlogits [B, 4096]`; one gradient per parameter.
    ///
    /// # Panics
    /// If `dlogits` is not on the CPU.
    pub fn backward(
        &self,
        frozen: &FrozenMlp,
        inputs: &[[f32; 2]],
        dlogits: &Tensor,
    ) -> Vec<Tensor> {
        let dlogits = Vec::<f32>::try_from(dlogits.flatten(0, -1)).expect("f32 on the CPU");
        let per_image: Vec<Vec<f32>> = inputs
            .par_iter()
            .zip(dlogits.par_chunks_exact(crate::not_so_clevr::N_PIXELS))
            .map(|(&input, dlogits)| frozen.gradient(input, dlogits))
            .collect();
        let mut sum = vec![0.0; frozen.n_params()];
        for gradient in per_image {
            for (sum, x) in sum.iter_mut().zip(gradient) {
                *sum += x;
            }
        }
        self.tensors_of(&sum)
    }
}
