//! The convolutional torso of Mnih et al. 2015 ("Human-level control through deep reinforcement learning", Methods), with
//! or without `CoordConv`:
//!
//! ```text
//! obs u8 [B, C, H, W]
//!   conv1  8x8 stride 4, 32 channels, ReLU      CoordConv: coordinates join here (CoordLayers::First),
//!   conv2  4x4 stride 2, 64 channels, ReLU                 or before each of the three (CoordLayers::All)
//!   conv3  3x3 stride 1, 64 channels, ReLU
//!   fc     512, ReLU
//! features [B, 512]
//! ```
//!
//! [`NatureConvs`] are the three convolutions alone, for networks that put more than one layer on them.
//!
//! The paper's pixels are divided by 255. Here the first convolution's image weights are
//! ([`ConvSpec::input_scale`](crate::ConvSpec)); the coordinates, already in [-1, 1], are not.
//!
//! # Layout
//! On the CPU the frames are turned to channels-last where they become floats, and every activation stays so: libtorch's
//! convolutions run forward and backward a quarter faster on it than on channels-first, and the fully connected layer
//! reads the last activation as it lies. Its weight's columns are therefore in the order row, column, channel; `PyTorch`
//! ports, which flatten `[C, H, W]`, have the same columns in another order.
//!
//! # Who convolves
//! In f32 on a CPU with AVX-512 kernels of ours ([`crate::tape`]) convolve stacks of four frames and compute the fully connected layer; everything else is
//! libtorch's. Kernels draw no graph: a gradient through them needs a [`Tape`].

use rand::Rng;
use tch::{Kind, Tensor};

use crate::init::{Init, RELU_GAIN};
use crate::{Flops, Linear, NatureConvs, NnError, Params, Tape, TorsoConfig};

/// The features that come out.
const N_FEATURES: i64 = 512;
/// The torso.
#[derive(Debug)]
pub struct NatureTorso {
    convs: NatureConvs,
    fc: Linear,
}

impl NatureTorso {
    /// Parameters `torso.conv1.weight`, `torso.conv1.bias` ... `torso.fc.bias`, drawn by `init` with gain sqrt 2.
    /// `obs_shape` is channels, height, width.
    ///
    /// # Errors
    /// If the observation has no channel or is smaller than 36x36.
    pub fn new(
        params: &mut Params,
        config: &TorsoConfig,
        obs_shape: [i64; 3],
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        let convs = NatureConvs::new(params, config, obs_shape, init, rng)?;
        let sizes = (convs.out_features(), N_FEATURES);
        let fc = Linear::hidden(params, "torso.fc", sizes, init, RELU_GAIN, rng);
        Ok(Self { convs, fc })
    }

    /// A second handle of the same torso, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            convs: self.convs.share(),
            fc: self.fc.share(),
        }
    }

    /// # Shapes
    /// `u8 [B, C, H, W] -> f32 [B, 512]`
    pub fn forward(&self, obs: &Tensor) -> Tensor {
        self.finish(&self.convs.forward(obs), None)
    }

    /// The convolutions: what is worth keeping of a forward pass, being six sevenths of its operations. What the gradient needs besides
    /// libtorch's graph is on the tape; `obs` must not change until then.
    ///
    /// # Shapes
    /// `u8 [B, C, H, W] -> [B, H'*W'*64]` of the kind that hidden layers compute in
    pub fn begin(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        self.convs.record(obs, tape)
    }

    /// The rest of what was begun. `tape` as in [`Linear::relu`].
    ///
    /// # Shapes
    /// What [`Self::begin`] gave `-> f32 [B, 512]`
    pub fn finish(&self, begun: &Tensor, tape: Option<&mut Tape>) -> Tensor {
        self.fc.relu(begun, tape).to_kind(Kind::Float)
    }

    /// As [`NatureConvs::fills_a_pool`].
    pub(crate) fn fills_a_pool(&self) -> bool {
        self.convs.fills_a_pool()
    }

    /// Its operations.
    pub(crate) fn flops(&self) -> Flops {
        self.convs.flops() + self.fc.flops()
    }

    /// How many features come out.
    pub fn out_features(&self) -> i64 {
        N_FEATURES
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;
    use crate::{CoordLayers, TorsoKind};

    const KINDS: [TorsoConfig; 4] = [
        torso(TorsoKind::Conv, CoordLayers::First, false),
        torso(TorsoKind::CoordConv, CoordLayers::First, false),
        torso(TorsoKind::CoordConv, CoordLayers::First, true),
        torso(TorsoKind::CoordConv, CoordLayers::All, false),
    ];

    const fn torso(kind: TorsoKind, coord_layers: CoordLayers, coord_radius: bool) -> TorsoConfig {
        TorsoConfig {
            kind,
            coord_layers,
            coord_radius,
        }
    }

    fn build(config: TorsoConfig, obs_shape: [i64; 3]) -> (Params, NatureTorso) {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let torso =
            NatureTorso::new(&mut params, &config, obs_shape, Init::Orthogonal, &mut rng).unwrap();
        (params, torso)
    }

    fn frames(shape: [i64; 4]) -> Tensor {
        let n: i64 = shape.iter().product();
        (Tensor::arange(n, (Kind::Int64, Device::Cpu)) * 7919)
            .remainder(256)
            .to_kind(Kind::Uint8)
            .view(shape)
    }

    /// The published trunk, and what the coordinates add to it: 32 kernels of 8x8 per channel before the first convolution.
    #[test]
    fn parameters_are_counted_as_published() {
        let n_params = |config, size| build(config, [4, size, size]).0.n_elements();
        assert_eq!(n_params(KINDS[0], 84), 1_684_128);
        let added = KINDS.map(|config| n_params(config, 36) - n_params(KINDS[0], 36));
        assert_eq!(added, [0, 4_096, 6_144, 7_296]);
    }

    #[test]
    fn any_size_from_36_on_gives_512_features() {
        for (height, width) in [(36, 36), (36, 61), (55, 40)] {
            for config in KINDS {
                let (_, torso) = build(config, [2, height, width]);
                let features = torso.forward(&frames([3, 2, height, width]));
                assert_eq!(features.size(), [3, torso.out_features()]);
                assert!(features.min().double_value(&[]) >= 0.0);
            }
        }
    }

    #[test]
    fn too_small_an_observation_is_refused_with_its_size() {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut refuse = |shape| {
            NatureTorso::new(&mut params, &KINDS[1], shape, Init::Orthogonal, &mut rng)
                .unwrap_err()
                .to_string()
        };
        let message = "an observation of 84x35 pixels is too small for the Nature torso, which needs at least 36x36";
        assert_eq!(refuse([4, 84, 35]), message);
        assert!(refuse([0, 84, 84]).contains("must be at least 1, got 0"));
    }

    /// Slow reference: divide every pixel, append the coordinates, channels-first all the way.
    #[test]
    fn folding_the_255_into_the_weights_changes_rounding_only() {
        for config in KINDS {
            let (params, torso) = build(config, [2, 44, 52]);
            let obs = frames([2, 2, 44, 52]);
            let tensors = params.tensors();
            let mut x = obs.to_kind(Kind::Float) / 255.0;
            for (layer_idx, stride) in [(0, 4), (1, 2), (2, 1)] {
                let (weight, bias) = (&tensors[2 * layer_idx], &tensors[2 * layer_idx + 1]);
                let size = x.size();
                if weight.size()[1] > size[1] {
                    let options = (Kind::Float, Device::Cpu);
                    let coords =
                        crate::coord_channels(size[2], size[3], config.coord_radius, options);
                    x = Tensor::cat(&[x, coords.expand([size[0], -1, -1, -1], false)], 1);
                }
                let stride = [stride; 2];
                x = x
                    .conv2d(weight, Some(bias), stride, [0, 0], [1, 1], 1)
                    .relu();
            }
            let x = x.permute([0, 2, 3, 1]).flatten(1, -1);
            let expected = x.linear(&tensors[6], Some(&tensors[7])).relu();
            let got = torso.forward(&obs);
            assert!(got.allclose(&expected, 1e-4, 1e-5, false), "{config:?}");
        }
    }
}
