//! The convolutions of the Nature torso: see [`crate::torso`].

use rand::Rng;
use tch::{Kind, Tensor};

use crate::init::Init;
use crate::pixels::to_pixels;
use crate::tape::graph_is_drawn;
use crate::winograd::{N_LAYERS, Weights, WinogradConvs};
use crate::{
    Conv2d, ConvSpec, CoordConv2d, CoordLayers, Flops, NnError, Params, Tape, TorsoConfig,
    TorsoKind,
};

/// The channels of the last convolution.
const LAST_CHANNELS: i64 = 64;
/// The least height and width of an observation: 36 -> 8 -> 3 -> 1.
const MIN_OBS_SIZE: i64 = 36;

/// The convolutions.
#[derive(Debug)]
pub struct NatureConvs {
    layers: Box<[Layer; N_LAYERS]>,
    /// Kernels for what the layers compute, if there are.
    kernels: Option<Box<WinogradConvs>>,
    /// Of the activations.
    kind: Kind,
    n_features: i64,
    flops: Flops,
}

#[derive(Debug)]
enum Layer {
    Plain(Conv2d),
    Coord(CoordConv2d),
}

impl Layer {
    fn share(&self) -> Self {
        match self {
            Self::Plain(conv) => Self::Plain(conv.share()),
            Self::Coord(conv) => Self::Coord(conv.share()),
        }
    }

    fn flops(&self, height: i64, width: i64) -> Flops {
        match self {
            Self::Plain(conv) => conv.flops(height, width),
            Self::Coord(conv) => conv.flops(height, width),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Plain(conv) => conv.forward(x),
            Self::Coord(conv) => conv.forward(x),
        }
    }

    fn spec(&self) -> &ConvSpec {
        match self {
            Self::Plain(conv) => &conv.spec,
            Self::Coord(conv) => &conv.spec,
        }
    }

    fn bias(&self) -> &Tensor {
        match self {
            Self::Plain(conv) => &conv.bias,
            Self::Coord(conv) => &conv.bias,
        }
    }

    /// What it computes with for images of this size.
    fn weights(&self, [height, width]: [i64; 2]) -> Weights {
        let (weight, map) = match self {
            Self::Plain(conv) => (&conv.weight, None),
            Self::Coord(conv) => (&conv.weight, Some(conv.coord_rows(height, width))),
        };
        Weights {
            weight: weight.shallow_clone(),
            bias: self.bias().shallow_clone(),
            map,
        }
    }
}

impl NatureConvs {
    /// Parameters `torso.conv1.weight` ... `torso.conv3.bias`, as [`crate::NatureTorso::new`].
    ///
    /// # Errors
    /// As [`crate::NatureTorso::new`].
    pub fn new(
        params: &mut Params,
        config: &TorsoConfig,
        obs_shape: [i64; 3],
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        let [n_channels, height, width] = obs_shape;
        if n_channels < 1 {
            return Err(NnError::NotPositive {
                what: "the number of an observation's channels",
                got: n_channels,
            });
        }
        if height.min(width) < MIN_OBS_SIZE {
            return Err(NnError::ObsTooSmall {
                height,
                width,
                min: MIN_OBS_SIZE,
            });
        }
        let specs = conv_specs(n_channels);
        let kernels = WinogradConvs::new(&specs, obs_shape, params.compute()).map(Box::new);
        let mut layer_idx = 0;
        let layers = specs.map(|spec| {
            layer_idx += 1;
            let name = format!("torso.conv{layer_idx}");
            let with_coords = config.kind == TorsoKind::CoordConv
                && (layer_idx == 1 || config.coord_layers == CoordLayers::All);
            if with_coords {
                let conv = CoordConv2d::new(params, &name, spec, config.coord_radius, init, rng);
                Layer::Coord(conv)
            } else {
                Layer::Plain(Conv2d::new(params, &name, spec, init, rng))
            }
        });
        let (mut flops, [mut height, mut width]) = (Flops::default(), [height, width]);
        for (layer_idx, (layer, spec)) in layers.iter().zip(&specs).enumerate() {
            let own = layer.flops(height, width);
            flops = flops
                + if layer_idx == 0 {
                    own.without_input_gradient()
                } else {
                    own
                };
            [height, width] = [height, width].map(|size| spec.out_size(size));
        }
        Ok(Self {
            layers: Box::new(layers),
            kernels,
            kind: params.compute().precision.kind(),
            n_features: LAST_CHANNELS * height * width,
            flops,
        })
    }

    /// A second handle of the same convolutions, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            layers: Box::new(self.layers.each_ref().map(Layer::share)),
            kernels: (self.kernels.as_ref()).map(|kernels| Box::new(kernels.share())),
            kind: self.kind,
            n_features: self.n_features,
            flops: self.flops,
        }
    }

    /// The features, with libtorch's graph unless it is switched off ([`tch::no_grad`]).
    ///
    /// # Shapes
    /// `u8 [B, C, H, W] -> [B, H'*W'*64]` of the kind that hidden layers compute in, in the order row, column, channel
    pub fn forward(&self, obs: &Tensor) -> Tensor {
        match self.kernels_for(obs) {
            Some(kernels) if !graph_is_drawn(self.layers[0].bias()) => {
                kernels.pass(self.weights(obs), obs).features()
            }
            _ => self.convolve(obs),
        }
    }

    /// The same; what the gradient needs is on the tape, or in libtorch's graph if it convolves.
    ///
    /// # Shapes
    /// As [`Self::forward`].
    pub fn record(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        match self.kernels_for(obs) {
            Some(kernels) => tape.record_convs(kernels.pass(self.weights(obs), obs)),
            None => self.convolve(obs),
        }
    }

    /// libtorch's way.
    fn convolve(&self, obs: &Tensor) -> Tensor {
        let pixels = to_pixels(obs, self.kind); // [B, C, H, W] of 0..=255
        let x = self
            .layers
            .iter()
            .fold(pixels, |x, conv| conv.forward(&x).relu_()); // [B, 64, H', W']
        x.permute([0, 2, 3, 1]).flatten(1, -1) // no copy if channels-last
    }

    /// The kernels, if there is something for them to do.
    fn kernels_for(&self, obs: &Tensor) -> Option<&WinogradConvs> {
        self.kernels.as_deref().filter(|_| obs.numel() > 0)
    }

    /// What the layers compute with for such frames.
    fn weights(&self, obs: &Tensor) -> [Weights; N_LAYERS] {
        let (_, _, height, width) = obs.size4().expect("a batch of frames has four axes");
        let mut size = [height, width];
        self.layers.each_ref().map(|layer| {
            let weights = layer.weights(size);
            size = size.map(|size| layer.spec().out_size(size));
            weights
        })
    }

    /// Whether one pass keeps all threads of the rayon pool it is called in busy.
    pub(crate) fn fills_a_pool(&self) -> bool {
        self.kernels.is_some()
    }

    /// Their operations.
    pub(crate) fn flops(&self) -> Flops {
        self.flops
    }

    /// How many features come out.
    pub fn out_features(&self) -> i64 {
        self.n_features
    }
}

/// The three convolutions; the first one takes bytes for fractions of 255.
fn conv_specs(n_channels: i64) -> [ConvSpec; 3] {
    [
        ConvSpec::new(n_channels, 32, 8)
            .stride(4)
            .input_scale(1.0 / 255.0),
        ConvSpec::new(32, 64, 4).stride(2),
        ConvSpec::new(64, LAST_CHANNELS, 3),
    ]
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;

    /// libtorch's way.
    #[test]
    fn activations_are_channels_last_and_gradients_lie_as_their_parameters() {
        for (kind, coord_layers) in [
            (TorsoKind::Conv, CoordLayers::First),
            (TorsoKind::CoordConv, CoordLayers::First),
            (TorsoKind::CoordConv, CoordLayers::All),
        ] {
            let config = TorsoConfig {
                kind,
                coord_layers,
                coord_radius: false,
            };
            let mut params = Params::new(Device::Cpu);
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let shape = [4, 44, 52];
            let convs =
                NatureConvs::new(&mut params, &config, shape, Init::Orthogonal, &mut rng).unwrap();
            let obs = Tensor::ones([2, 4, 44, 52], (Kind::Uint8, Device::Cpu)) * 200;
            let obs = obs.to_kind(Kind::Uint8);
            let pixels = to_pixels(&obs, Kind::Float);
            assert_eq!(pixels.stride(), [4 * 44 * 52, 1, 4 * 52, 4]);
            let mut x = pixels;
            for conv in convs.layers.iter() {
                x = conv.forward(&x).relu_();
                assert_eq!(x.stride()[1], 1, "{config:?}");
            }
            let loss = convs.convolve(&obs).sum(Kind::Float);
            let grads = Tensor::run_backward(&[loss], &params.tensors(), false, false);
            for ((name, param), grad) in params.iter().zip(&grads) {
                assert_eq!(grad.stride(), param.stride(), "{name}, {config:?}");
            }
        }
    }
}
