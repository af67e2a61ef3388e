//! The network's numbers laid out for the kernel, and its forward pass.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use rlrun_nn::coord_channels;
use rlrun_nn::vectors::{FusedPass, on_widest_fused_vectors};

use super::kernel::{TILE_CHANNELS, dense_relu};
use crate::not_so_clevr::{CANVAS, N_PIXELS, SIZE};

/// Pixels that go through all layers together: one row of the canvas.
pub(super) const TILE_PIXELS: usize = CANVAS;

/// A network that does not change: plain numbers, shared by any number of threads.
#[derive(Debug)]
pub struct FrozenMlp {
    pub(super) first: FirstLayer,
    pub(super) hidden: Vec<HiddenLayer>,
    pub(super) last_weight: Vec<f32>, // [64m]
    last_bias: f32,
}

/// The layer that sees the location and the coordinates.
#[derive(Debug)]
pub(super) struct FirstLayer {
    weight: Vec<f32>, // [4, 32m]: a row for x, y, xx, yy
    bias: Vec<f32>,   // [32m]
    /// `xx` of each canvas column times its weights.
    columns: Vec<f32>, // [64, 32m]
    /// `xx` of each column and, the canvas being square, `yy` of each row.
    pub(super) axis: Vec<f32>, // [64]
}

/// A layer between activations.
#[derive(Debug)]
pub(super) struct HiddenLayer {
    pub(super) weight: Vec<f32>,     // [in, out]
    pub(super) transposed: Vec<f32>, // [out, in]
    pub(super) bias: Vec<f32>,       // [out]
}

/// The activations of one tile of pixels after each `ReLU`; `[TILE_PIXELS, channels]` each.
pub(super) type Activations = Vec<Vec<f32>>;

impl FrozenMlp {
    /// From weights `[out, in]` and biases, layer by layer.
    pub(super) fn new(weights: &[Vec<f32>], biases: &[Vec<f32>]) -> Self {
        let n_layers = weights.len();
        let hidden = (1..n_layers - 1).map(|layer_idx| {
            let bias = biases[layer_idx].clone();
            let transposed = weights[layer_idx].clone();
            HiddenLayer {
                weight: transpose(&transposed, bias.len()),
                transposed,
                bias,
            }
        });
        Self {
            first: FirstLayer::new(&weights[0], &biases[0]),
            hidden: hidden.collect(),
            last_weight: weights[n_layers - 1].clone(),
            last_bias: biases[n_layers - 1][0],
        }
    }

    /// # Shapes
    /// `inputs` are B pairs (x, y), raw pixels as in the paper; `[B, 4096]`.
    pub fn logits(&self, inputs: &[[f32; 2]]) -> Tensor {
        let mut logits = vec![0.0; inputs.len() * N_PIXELS];
        let images = inputs.par_iter().zip(logits.par_chunks_exact_mut(N_PIXELS));
        images.for_each_init(
            || self.activations(),
            |activations, (&input, logits)| {
                on_widest_fused_vectors(ForwardPass {
                    mlp: self,
                    input,
                    activations,
                    logits,
                });
            },
        );
        Tensor::from_slice(&logits).view([-1, SIZE * SIZE])
    }

    /// How many parameters there are.
    pub(super) fn n_params(&self) -> usize {
        let hidden = self.hidden.iter().map(|l| l.weight.len() + l.bias.len());
        let first = self.first.weight.len() + self.first.bias.len();
        first + hidden.sum::<usize>() + self.last_weight.len() + 1
    }

    /// Room for the activations of a tile.
    pub(super) fn activations(&self) -> Activations {
        let hidden = self.hidden.iter().map(|layer| layer.bias.len());
        std::iter::once(self.first.bias.len())
            .chain(hidden)
            .map(|n_channels| vec![0.0; TILE_PIXELS * n_channels])
            .collect()
    }

    /// Takes one tile of pixels through all layers but the last; `base` is [`FirstLayer::base`]. Their number is a multiple of
    /// the kernel's rows and at most [`TILE_PIXELS`].
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    pub(super) fn activate<const FUSED: bool>(
        &self,
        base: &[f32],
        pixels: impl ExactSizeIterator<Item = usize>,
        activations: &mut Activations,
    ) {
        let n_rows = pixels.len();
        self.first.activate(base, pixels, &mut activations[0]);
        for (layer_idx, layer) in self.hidden.iter().enumerate() {
            let (before, after) = activations.split_at_mut(layer_idx + 1);
            let (x, y) = (&before[layer_idx], &mut after[0]);
            let n_in = layer.weight.len() / layer.bias.len();
            let (x, y) = (&x[..n_rows * n_in], &mut y[..n_rows * layer.bias.len()]);
            dense_relu::<FUSED>(x, &layer.weight, &layer.bias, y);
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn logit(&self, h: &[f32]) -> f32 {
        let mut sums = [0.0; TILE_CHANNELS];
        let h = h.as_chunks::<TILE_CHANNELS>().0;
        let weight = self.last_weight.as_chunks::<TILE_CHANNELS>().0;
        for (h, weight) in h.iter().zip(weight) {
            for lane in 0..TILE_CHANNELS {
                sums[lane] += h[lane] * weight[lane];
            }
        }
        self.last_bias + sums.iter().sum::<f32>()
    }
}

impl FirstLayer {
    /// From the weight `[32m, 4]`.
    fn new(weight: &[f32], bias: &[f32]) -> Self {
        let n_out = bias.len();
        let xx = coord_channels(1, SIZE, false, (Kind::Float, Device::Cpu)).select(1, 0);
        let axis = Vec::<f32>::try_from(xx.flatten(0, -1)).expect("f32 on the CPU");
        let weight = transpose(weight, n_out);
        let of_xx = &weight[2 * n_out..3 * n_out];
        let columns = axis
            .iter()
            .flat_map(|&xx| of_xx.iter().map(move |w| w * xx));
        Self {
            columns: columns.collect(),
            bias: bias.to_vec(),
            weight,
            axis,
        }
    }

    /// What the location and the bias add at every pixel of its image; `[32m]`.
    pub(super) fn base(&self, [x, y]: [f32; 2]) -> Vec<f32> {
        let (of_x, rest) = self.weight.split_at(self.bias.len());
        let terms = self.bias.iter().zip(of_x.iter().zip(rest));
        terms.map(|(b, (w_x, w_y))| b + w_x * x + w_y * y).collect()
    }

    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn activate(&self, base: &[f32], pixels: impl Iterator<Item = usize>, h: &mut [f32]) {
        let n_out = base.len();
        let of_yy = &self.weight[3 * n_out..];
        for (h, pixel) in h.chunks_exact_mut(n_out).zip(pixels) {
            let (row, column) = (pixel / CANVAS, pixel % CANVAS);
            let of_column = &self.columns[column * n_out..][..n_out];
            let yy = self.axis[row];
            for (((h, base), w), of_column) in h.iter_mut().zip(base).zip(of_yy).zip(of_column) {
                *h = (base + w * yy + of_column).max(0.0);
            }
        }
    }
}

/// The logits of one image.
struct ForwardPass<'a> {
    mlp: &'a FrozenMlp,
    input: [f32; 2],
    activations: &'a mut Activations,
    logits: &'a mut [f32], // [4096]
}

impl FusedPass for ForwardPass<'_> {
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let base = self.mlp.first.base(self.input);
        for (tile_idx, logits) in self.logits.chunks_exact_mut(TILE_PIXELS).enumerate() {
            let first = tile_idx * TILE_PIXELS;
            let pixels = first..first + TILE_PIXELS;
            self.mlp.activate::<FUSED>(&base, pixels, self.activations);
            let h = self.activations.last().expect("there are hidden layers");
            let rows = h.chunks_exact(self.mlp.last_weight.len());
            for (logit, h) in logits.iter_mut().zip(rows) {
                *logit = self.mlp.logit(h);
            }
        }
    }
}

/// A matrix of `n_rows` rows with rows and columns exchanged.
fn transpose(matrix: &[f32], n_rows: usize) -> Vec<f32> {
    let n_columns = matrix.len() / n_rows;
    (0..n_columns)
        .flat_map(|column| matrix.iter().skip(column).step_by(n_columns).copied())
        .collect()
}
