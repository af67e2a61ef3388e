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

    /// Whether one pass keeps all threads of the rayon pool it is called in busy, so that a batch need not be shared out by rows.
    pub fn fills_a_pool(&self) -> bool {
        match &self.body {
            Body::Plain {
                torso: Torso::Nature(torso),
                ..
            } => torso.fills_a_pool(),
            Body::Dueling {
                trunk: Trunk::Nature(convs),
                ..
            } => convs.fills_a_pool(),
            _ => false,
        }
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
                let hidden = torso.finish(&begun, Some(tape));
                q.record_last(&hidden, tape)
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
mod tests;
