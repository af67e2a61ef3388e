//! The torso that a configuration and an observation ask for together.

use rand::Rng;
use tch::Tensor;

use crate::init::Init;
use crate::{
    Flops, MlpSpec, MlpTorso, NatureTorso, NnError, ObsShape, Params, Tape, TorsoConfig, TorsoKind,
};

/// Any torso.
#[derive(Debug)]
pub enum Torso {
    /// For pictures, with or without coordinates.
    Nature(NatureTorso),
    /// For a few numbers.
    Mlp(MlpTorso),
}

impl Torso {
    /// The torso `config` names, with parameters `torso.*`; `mlp` is what a perceptron is built of.
    ///
    /// # Errors
    /// If the torso is not made for such observations, or as [`NatureTorso::new`] and [`MlpTorso::new`].
    pub fn new(
        params: &mut Params,
        config: &TorsoConfig,
        mlp: MlpSpec,
        obs_shape: ObsShape,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        match (config.kind, obs_shape) {
            (TorsoKind::Conv | TorsoKind::CoordConv, ObsShape::Frames(shape)) => {
                NatureTorso::new(params, config, shape, init, rng).map(Self::Nature)
            }
            (TorsoKind::Mlp, ObsShape::Features(n)) => {
                MlpTorso::new(params, "torso", mlp, n, init, rng).map(Self::Mlp)
            }
            (torso, obs) => Err(NnError::TorsoMismatch { torso, obs }),
        }
    }

    /// A second handle of the same torso, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        match self {
            Self::Nature(torso) => Self::Nature(torso.share()),
            Self::Mlp(torso) => Self::Mlp(torso.share()),
        }
    }

    /// # Shapes
    /// `u8 [B, C, H, W]` or `f32 [B, n]`, as [`ObsShape::tensor`] makes them, `-> f32 [B, out_features]`
    pub fn forward(&self, obs: &Tensor) -> Tensor {
        match self {
            Self::Nature(torso) => torso.forward(obs),
            Self::Mlp(torso) => torso.forward(obs),
        }
    }

    /// The part of a forward pass that is worth keeping: of pictures what the convolutions make of them, of a few numbers
    /// these themselves. `tape` as in [`NatureTorso::begin`].
    pub fn begin(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        match self {
            Self::Nature(torso) => torso.begin(obs, tape),
            Self::Mlp(_) => obs.shallow_clone(),
        }
    }

    /// The rest of what was begun. `tape` as in [`crate::Linear::relu`].
    ///
    /// # Shapes
    /// Gives `f32 [B, out_features]`
    pub fn finish(&self, begun: &Tensor, tape: Option<&mut Tape>) -> Tensor {
        match self {
            Self::Nature(torso) => torso.finish(begun, tape),
            Self::Mlp(torso) => torso.forward(begun),
        }
    }

    /// Its operations.
    pub(crate) fn flops(&self) -> Flops {
        match self {
            Self::Nature(torso) => torso.flops(),
            Self::Mlp(torso) => torso.flops(),
        }
    }

    /// How many features come out.
    pub fn out_features(&self) -> i64 {
        match self {
            Self::Nature(torso) => torso.out_features(),
            Self::Mlp(torso) => torso.out_features(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;
    use crate::{Activation, CoordLayers};

    #[test]
    fn a_torso_for_other_observations_is_refused() {
        let check = |kind, obs_shape, expected: &str| {
            let config = TorsoConfig {
                kind,
                coord_layers: CoordLayers::First,
                coord_radius: false,
            };
            let mlp = MlpSpec {
                width: 4,
                activation: Activation::Tanh,
            };
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut params = Params::new(Device::Cpu);
            let built = Torso::new(
                &mut params,
                &config,
                mlp,
                obs_shape,
                Init::Orthogonal,
                &mut rng,
            );
            assert_eq!(built.map(drop).unwrap_err().to_string(), expected);
        };
        check(
            TorsoKind::Conv,
            ObsShape::Features(4),
            "a conv torso cannot look at 4 numbers",
        );
        check(
            TorsoKind::Mlp,
            ObsShape::Frames([4, 84, 84]),
            "a mlp torso cannot look at 4 frames of 84x84 pixels",
        );
    }
}
