//! Which network a plan means, behind one interface: outputs of a batch, and gradients of a loss of them.

use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use rlrun_nn::Params;

use crate::layers::Mode;
use crate::loss::one_hot_images;
use crate::nets::{CoordRegressor, DeconvPainter, FullyConvRegressor, Painter, PooledRegressor};
use crate::not_so_clevr::{Location, SIZE, Split};
use crate::pixel_mlp::{FrozenMlp, PixelMlp};
use crate::plan::ToyPlan;
use crate::task::{Input, NetKind, Task};

/// The network of a plan.
#[derive(Debug)]
pub(crate) enum Model {
    /// Classification, `CoordConv`.
    Pixels(PixelMlp, Input),
    /// Rendering, `CoordConv`: a softmax over the pixels, then a painter.
    PixelsPainted(PixelMlp, Painter, Input),
    /// Classification and rendering, conv.
    Deconv(DeconvPainter, Input),
    /// Regression, `CoordConv`.
    CoordRegressor(CoordRegressor),
    /// Regression, conv, for the uniform split.
    Pooled(PooledRegressor),
    /// Regression, conv, for the quadrant split.
    FullyConv(FullyConvRegressor),
}

/// What a batch gave in training.
pub(crate) struct Learned {
    /// As for [`Model::predict`], without a graph.
    pub(crate) outputs: Tensor,
    /// The loss, one number.
    pub(crate) loss: Tensor,
    /// One per parameter, in order.
    pub(crate) grads: Vec<Tensor>,
}

impl Model {
    /// The network of a plan that was checked; the released code chooses the regressor without coordinates by the split.
    pub(crate) fn new(plan: &ToyPlan, params: &mut Params, rng: &mut ChaCha8Rng) -> Self {
        let settings = &plan.settings;
        let (width, filter) = (settings.width.unwrap_or(1), settings.filter.unwrap_or(1));
        let input = settings.input.unwrap_or(Input::Raw);
        match (plan.task, plan.net, plan.split) {
            (Task::Classification, NetKind::CoordConv, _) => {
                Self::Pixels(PixelMlp::new(params, width, rng), input)
            }
            (Task::Rendering, NetKind::CoordConv, _) => {
                let mlp = PixelMlp::new(params, 1, rng); // the sweep widens the painter only
                Self::PixelsPainted(mlp, Painter::new(params, width, filter, rng), input)
            }
            (Task::Classification | Task::Rendering, NetKind::Conv, _) => {
                Self::Deconv(DeconvPainter::new(params, width, filter, rng), input)
            }
            (Task::Regression, NetKind::CoordConv, _) => {
                Self::CoordRegressor(CoordRegressor::new(params, rng))
            }
            (Task::Regression, NetKind::Conv, Split::Uniform) => {
                Self::Pooled(PooledRegressor::new(params, width, rng))
            }
            (Task::Regression, NetKind::Conv, Split::Quadrant) => {
                Self::FullyConv(FullyConvRegressor::new(params, width, rng))
            }
        }
    }

    /// # Shapes
    /// `[B, 4096]` logits, or for regression `[B, 2]`.
    pub(crate) fn predict(&self, batch: &[Location]) -> Tensor {
        tch::no_grad(|| match self {
            Self::Pixels(mlp, input) => mlp.freeze().logits(&written(*input, batch)),
            Self::PixelsPainted(mlp, painter, input) => {
                let logits = mlp.freeze().logits(&written(*input, batch));
                painted(painter, &logits)
            }
            _ => self.forward(batch, Mode::Eval),
        })
    }

    /// Outputs, loss and gradients of a batch.
    pub(crate) fn learn(
        &self,
        params: &Params,
        batch: &[Location],
        loss_of: impl Fn(&Tensor) -> Tensor,
    ) -> Learned {
        match self {
            Self::Pixels(mlp, input) => {
                let inputs = written(*input, batch);
                let frozen = mlp.freeze();
                let logits = frozen.logits(&inputs).set_requires_grad(true); // [B, 4096]
                let loss = loss_of(&logits);
                let of_logits = Tensor::run_backward(&[&loss], &[&logits], false, false).remove(0);
                let grads = mlp.backward(&frozen, &inputs, &of_logits);
                Learned {
                    outputs: logits.detach(),
                    loss,
                    grads,
                }
            }
            Self::PixelsPainted(mlp, painter, input) => {
                let inputs = written(*input, batch);
                let frozen = mlp.freeze();
                learn_painted(mlp, &frozen, painter, params, &inputs, loss_of)
            }
            _ => {
                let outputs = self.forward(batch, Mode::Train);
                let loss = loss_of(&outputs);
                let grads = Tensor::run_backward(&[&loss], &params.tensors(), false, false);
                Learned {
                    outputs: outputs.detach(),
                    loss,
                    grads,
                }
            }
        }
    }

    /// The running statistics of batch normalisation, named; they are state that no gradient changes.
    pub(crate) fn buffers(&self) -> Vec<(String, Tensor)> {
        match self {
            Self::Deconv(net, _) => net.buffers(),
            Self::FullyConv(net) => net.buffers(),
            _ => Vec::new(),
        }
    }

    /// The networks that libtorch differentiates as a whole.
    fn forward(&self, batch: &[Location], mode: Mode) -> Tensor {
        match self {
            Self::Deconv(net, input) => {
                let inputs = written(*input, batch).concat();
                net.forward(&Tensor::from_slice(&inputs).view([-1, 2]), mode)
            }
            Self::CoordRegressor(net) => net.forward(batch),
            Self::Pooled(net) => net.forward(&one_hot_images(batch)),
            Self::FullyConv(net) => net.forward(&one_hot_images(batch), mode),
            Self::Pixels(..) | Self::PixelsPainted(..) => {
                unreachable!("these have forward passes of their own")
            }
        }
    }
}

/// The painter's parameters come after those of the pixels.
fn learn_painted(
    mlp: &PixelMlp,
    frozen: &FrozenMlp,
    painter: &Painter,
    params: &Params,
    inputs: &[[f32; 2]],
    loss_of: impl Fn(&Tensor) -> Tensor,
) -> Learned {
    let logits = frozen.logits(inputs).set_requires_grad(true); // [B, 4096]
    let outputs = painted(painter, &logits); // [B, 4096]
    let loss = loss_of(&outputs);
    let mut leaves = params.tensors().split_off(mlp.n_tensors());
    leaves.push(logits);
    let mut grads = Tensor::run_backward(&[&loss], &leaves, false, false);
    let of_logits = grads.pop().expect("the logits' is the last");
    let mut all = mlp.backward(frozen, inputs, &of_logits);
    all.append(&mut grads);
    Learned {
        outputs: outputs.detach(),
        loss,
        grads: all,
    }
}

/// The picture that a painter makes of the pixels' probabilities.
///
/// # Shapes
/// `[B, 4096] -> [B, 4096]`
fn painted(painter: &Painter, logits: &Tensor) -> Tensor {
    let probabilities = logits.softmax(1, tch::Kind::Float);
    painter.forward(&probabilities.view([-1, 1, SIZE, SIZE]))
}

fn written(input: Input, batch: &[Location]) -> Vec<[f32; 2]> {
    batch.iter().map(|&location| input.of(location)).collect()
}
