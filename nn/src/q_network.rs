//! The Q-networks of DQN: one value per action, on the convolutions of Mnih et al. 2015.
//!
//! ```text
//! QHead::Plain     obs -> NatureTorso (convs, fc 512) -> q [B, A]                  Mnih et al. 2015
//! QHead::Dueling   obs -> NatureConvs -> fc 512 -> V [B, 1]                        Wang et al. 2016, figure 1
//!                               '-----> fc 512 -> A [B, A]     Q = V + A - mean A  equation 9
//! ```
//!
//! The dueling streams share the convolutions and nothing else: each has a hidden layer of its own, so the network has 1.6
//! million weights more than the plain one on frames of 84x84. As in section 4.2 of the paper, the sum of both streams'
//! gradients is scaled by 1/sqrt 2 where it enters the convolutions; that the paper also clips the gradient's norm to 10 is
//! the agent's affair.

use std::f64::consts::FRAC_1_SQRT_2;

use rand::Rng;
use tch::{Kind, Tensor};

use crate::init::{Init, RELU_GAIN, VALUE_GAIN};
use crate::{
    Activation, Flops, Linear, MlpSpec, NatureConvs, NnError, ObsShape, Params, Tape, Torso,
    TorsoConfig, TorsoKind,
};

/// Units of each stream's hidden layer. Source: Wang et al. 2016, section 4.2.
const N_HIDDEN: i64 = 512;
/// The torso for a few numbers. Source: RL Baselines3 Zoo, hyperparams/dqn.yml, `CartPole-v1`, `net_arch`; SB3's activation.
const MLP: MlpSpec = MlpSpec {
    width: 256,
    activation: Activation::Relu,
};

/// How the values are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QHead {
    /// One linear layer gives the values.
    Plain,
    /// The state's value and the actions' advantages come from streams of their own.
    Dueling,
}

/// What decides a Q-network's shape and its first weights.
#[derive(Clone, Copy, Debug)]
pub struct QNetworkConfig {
    /// The torso.
    pub torso: TorsoConfig,
    /// What an observation is.
    pub obs_shape: ObsShape,
    /// A, the actions.
    pub n_actions: i64,
    /// How the values are put together.
    pub head: QHead,
    /// How the weights start.
    pub init: Init,
}

/// A network that gives the value of each action.
#[derive(Debug)]
pub struct QNetwork {
    body: Body,
}

#[derive(Debug)]
enum Body {
    Plain {
        torso: Torso,
        q: Linear,
    },
    Dueling {
        trunk: Trunk,
        value: Stream,
        advantage: Stream,
    },
}

/// What the dueling streams share.
#[derive(Debug)]
enum Trunk {
    Nature(NatureConvs),
    Mlp(Torso),
}

impl Trunk {
    fn new(
        params: &mut Params,
        config: &QNetworkConfig,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        let QNetworkConfig { torso, init, .. } = config;
        match config.obs_shape {
            ObsShape::Frames(shape) if torso.kind != TorsoKind::Mlp => {
                NatureConvs::new(params, torso, shape, *init, rng).map(Self::Nature)
            }
            obs_shape => Torso::new(params, torso, MLP, obs_shape, *init, rng).map(Self::Mlp),
        }
    }

    fn share(&self) -> Self {
        match self {
            Self::Nature(convs) => Self::Nature(convs.share()),
            Self::Mlp(torso) => Self::Mlp(torso.share()),
        }
    }

    fn forward(&self, obs: &Tensor) -> Tensor {
        match self {
            Self::Nature(convs) => convs.forward(obs),
            Self::Mlp(torso) => torso.forward(obs),
        }
    }

    fn record(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        match self {
            Self::Nature(convs) => convs.record(obs, tape),
            Self::Mlp(torso) => torso.forward(obs),
        }
    }

    fn flops(&self) -> Flops {
        match self {
            Self::Nature(convs) => convs.flops(),
            Self::Mlp(torso) => torso.flops(),
        }
    }

    fn out_features(&self) -> i64 {
        match self {
            Self::Nature(convs) => convs.out_features(),
            Self::Mlp(torso) => torso.out_features(),
        }
    }
}

impl QNetwork {
    /// The parameters `torso.*`, then `q.*`, or `value.hidden.*`, `value.out.*`, `advantage.hidden.*`, `advantage.out.*`.
    /// Gains, where `init` knows them: sqrt 2 for hidden layers, 1 for the last ones.
    ///
    /// # Errors
    /// If there is no action, or as [`Torso::new`].
    pub fn new(
        params: &mut Params,
        config: &QNetworkConfig,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        let &QNetworkConfig {
            torso,
            obs_shape,
            n_actions,
            head,
            init,
        } = config;
        if n_actions < 1 {
            return Err(NnError::NotPositive {
                what: "the number of actions",
                got: n_actions,
            });
        }
        let body = match head {
            QHead::Plain => {
                let torso = Torso::new(params, &torso, MLP, obs_shape, init, rng)?;
                let sizes = (torso.out_features(), n_actions);
                let q = Linear::new(params, "q", sizes, init, VALUE_GAIN, rng);
                Body::Plain { torso, q }
            }
            QHead::Dueling => {
                let trunk = Trunk::new(params, config, rng)?;
                let n_in = trunk.out_features();
                Body::Dueling {
                    trunk,
                    value: Stream::new(params, "value", (n_in, 1), init, rng),
                    advantage: Stream::new(params, "advantage", (n_in, n_actions), init, rng),
                }
            }
        };
        Ok(Self { body })
    }

    /// A second handle of the same network, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        let body = match &self.body {
            Body::Plain { torso, q } => Body::Plain {
                torso: torso.share(),
                q: q.share(),
            },
            Body::Dueling {
                trunk,
                value,
                advantage,
            } => Body::Dueling {
                trunk: trunk.share(),
                value: value.share(),
                advantage: advantage.share(),
            },
        };
        Self { body }
    }

    /// Its operations.
    pub fn flops(&self) -> Flops {
        match &self.body {
            Body::Plain { torso, q } => torso.flops() + q.flops(),
            Body::Dueling {
                trunk,
                value,
                advantage,
            } => trunk.flops() + value.flops() + advantage.flops(),
        }
    }

    /// The value of each action.
    ///
    /// # Shapes
    /// `u8 [B, C, H, W]` or `f32 [B, n]`, as [`ObsShape::tensor`] makes them, `-> f32 [B, A]`
    pub fn forward(&self, obs: &Tensor) -> Tensor {
        match &self.body {
            Body::Plain { torso, q } => q.forward(&torso.forward(obs)),
            Body::Dueling {
                trunk,
                value,
                advantage,
            } => duel(&trunk.forward(obs), value, advantage, None),
        }
    }

    /// The same; what the gradient needs besides libtorch's graph is on the tape.
    ///
    /// # Shapes
    /// As [`Self::forward`].
    pub fn record(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        match &self.body {
            Body::Plain { torso, q } => {
                let begun = torso.begin(obs, tape);
                q.forward(&torso.finish(&begun, Some(tape)))
            }
            Body::Dueling {
                trunk,
                value,
                advantage,
            } => {
                let shared = trunk.record(obs, tape);
                duel(&shared, value, advantage, Some(tape))
            }
        }
    }
}

/// A hidden layer and what it feeds.
#[derive(Debug)]
struct Stream {
    hidden: Linear,
    out: Linear,
}

impl Stream {
    fn new(
        params: &mut Params,
        name: &str,
        (n_in, n_out): (i64, i64),
        init: Init,
        rng: &mut impl Rng,
    ) -> Self {
        let (hidden, out) = (format!("{name}.hidden"), format!("{name}.out"));
        Self {
            hidden: Linear::hidden(params, &hidden, (n_in, N_HIDDEN), init, RELU_GAIN, rng),
            out: Linear::new(params, &out, (N_HIDDEN, n_out), init, VALUE_GAIN, rng),
        }
    }

    fn share(&self) -> Self {
        Self {
            hidden: self.hidden.share(),
            out: self.out.share(),
        }
    }

    fn flops(&self) -> Flops {
        self.hidden.flops() + self.out.flops()
    }

    fn forward(&self, x: &Tensor, tape: Option<&mut Tape>) -> Tensor {
        let hidden = self.hidden.relu(x, tape).to_kind(Kind::Float);
        self.out.forward(&hidden)
    }
}

/// The values from what the streams share.
///
/// # Shapes
/// `[B, n] -> [B, A]`
fn duel(
    shared: &Tensor,
    value: &Stream,
    advantage: &Stream,
    mut tape: Option<&mut Tape>,
) -> Tensor {
    let x = scale_gradient(shared, FRAC_1_SQRT_2); // [B, n]
    let value = value.forward(&x, tape.as_deref_mut()); // [B, 1]
    let advantage = advantage.forward(&x, tape); // [B, A]
    let mean = advantage.mean_dim(1, true, Kind::Float); // [B, 1]
    advantage + (value - mean)
}

/// `x` itself, to the bit where it is finite, with a gradient `scale` times as large.
fn scale_gradient(x: &Tensor, scale: f64) -> Tensor {
    if !x.requires_grad() {
        return x.shallow_clone();
    }
    let constant = x.detach();
    (x - &constant) * scale + constant // the difference is 0; its gradient is not
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;
    use crate::{CoordLayers, TorsoKind};

    fn config(kind: TorsoKind, head: QHead, size: i64) -> QNetworkConfig {
        QNetworkConfig {
            torso: TorsoConfig {
                kind,
                coord_layers: CoordLayers::First,
                coord_radius: false,
            },
            obs_shape: ObsShape::Frames([4, size, size]),
            n_actions: 6,
            head,
            init: Init::Torch,
        }
    }

    fn build(config: &QNetworkConfig, seed: u64) -> (Params, QNetwork) {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = QNetwork::new(&mut params, config, &mut rng).unwrap();
        (params, net)
    }

    fn frames(n_images: i64) -> Tensor {
        (Tensor::arange(n_images * 4 * 36 * 36, (Kind::Int64, Device::Cpu)) * 7919)
            .remainder(256)
            .to_kind(Kind::Uint8)
            .view([n_images, 4, 36, 36])
    }

    #[test]
    fn every_network_gives_one_value_per_action_and_image() {
        for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
            for head in [QHead::Plain, QHead::Dueling] {
                let (_, net) = build(&config(kind, head, 36), 1);
                assert_eq!(net.forward(&frames(3)).size(), [3, 6]);
            }
        }
    }

    /// 512 * 6 + 6 for the plain head; for the dueling one a second layer 3136 -> 512 and a value 512 -> 1.
    #[test]
    fn dueling_adds_a_hidden_layer_and_a_value_to_the_plain_network() {
        let n_params = |head| build(&config(TorsoKind::Conv, head, 84), 1).0.n_elements();
        let plain = 1_684_128 + 512 * 6 + 6;
        assert_eq!(n_params(QHead::Plain), plain);
        let added = 3136 * 512 + 512 + 512 + 1;
        assert_eq!(n_params(QHead::Dueling), plain + added);
    }

    #[test]
    fn names_are_in_the_order_of_the_layers_and_the_seed_decides_the_weights() {
        let config = config(TorsoKind::Conv, QHead::Dueling, 36);
        let (params, _) = build(&config, 1);
        let weights: Vec<_> = params
            .iter()
            .filter_map(|(name, _)| name.strip_suffix(".weight"))
            .collect();
        let expected = [
            "torso.conv1",
            "torso.conv2",
            "torso.conv3",
            "value.hidden",
            "value.out",
            "advantage.hidden",
            "advantage.out",
        ];
        assert_eq!(weights, expected);
        assert_eq!(params.tensors(), build(&config, 1).0.tensors());
        assert_ne!(params.tensors(), build(&config, 2).0.tensors());
    }

    #[test]
    fn the_mean_of_dueling_values_is_the_value_and_their_differences_are_the_advantages() {
        let (_, net) = build(&config(TorsoKind::CoordConv, QHead::Dueling, 36), 1);
        let Body::Dueling {
            trunk,
            value,
            advantage,
        } = &net.body
        else {
            panic!("asked for a dueling network");
        };
        let obs = frames(3);
        let x = trunk.forward(&obs);
        let (value, advantage) = (value.forward(&x, None), advantage.forward(&x, None));
        let q = net.forward(&obs);
        let mean = q.mean_dim(1, true, Kind::Float);
        assert!(mean.allclose(&value, 1e-5, 1e-6, false));
        let differences = |x: &Tensor| x - x.narrow(1, 0, 1);
        assert!(differences(&q).allclose(&differences(&advantage), 1e-4, 1e-6, false));
    }

    #[test]
    fn a_scaled_gradient_leaves_the_value_alone() {
        let x = Tensor::from_slice(&[0.1_f32, -3.0, 1e-30]).set_requires_grad(true);
        let y = scale_gradient(&x, 0.25);
        assert_eq!(y.detach(), x.detach());
        let loss = y.square().sum(Kind::Float);
        let grad = &Tensor::run_backward(&[loss], &[&x], false, false)[0];
        assert!(grad.allclose(&(x.detach() * 0.5), 1e-6, 0.0, false));
        let untracked = tch::no_grad(|| scale_gradient(&(&x * 1.0), 0.25));
        assert_eq!(untracked, x.detach());
    }

    #[test]
    fn no_action_is_refused() {
        let config = QNetworkConfig {
            n_actions: 0,
            ..config(TorsoKind::Conv, QHead::Plain, 36)
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let error = QNetwork::new(&mut Params::new(Device::Cpu), &config, &mut rng).map(|_| ());
        let message = error.unwrap_err().to_string();
        assert_eq!(message, "the number of actions must be at least 1, got 0");
    }
}
