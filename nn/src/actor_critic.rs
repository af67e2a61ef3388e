//! The actor-critic of Mnih et al. 2016 ("Asynchronous methods for deep reinforcement learning", section 4): a policy head
//! and a value head, with the gains of `OpenAI` Baselines' A2C.
//!
//! On pictures both heads share the Nature torso, as in the paper. On a few numbers each has a perceptron of its own, as in
//! Stable-Baselines3 (`MlpPolicy`: 64 and 64 units with tanh, once for the policy and once for the value).

use rand::Rng;
use tch::Tensor;

use crate::init::{Init, POLICY_GAIN, VALUE_GAIN};
use crate::{
    Activation, Flops, Linear, MlpSpec, MlpTorso, NnError, ObsShape, Params, Tape, Torso,
    TorsoConfig,
};

/// The perceptron of the policy, and that of the value.
const MLP: MlpSpec = MlpSpec {
    width: 64,
    activation: Activation::Tanh,
};

/// Torsos with a policy head and a value head.
#[derive(Debug)]
pub struct ActorCritic {
    torso: Torso,
    /// The value's own torso; none where it shares the policy's.
    value_torso: Option<MlpTorso>,
    policy: Linear,
    value: Linear,
}

impl ActorCritic {
    /// The parameters `torso.*`, `value_torso.*` where the value has its own, then `policy.weight`, `policy.bias`,
    /// `value.weight`, `value.bias`.
    ///
    /// # Errors
    /// If there is no action, or as [`Torso::new`].
    pub fn new(
        params: &mut Params,
        config: &TorsoConfig,
        obs_shape: ObsShape,
        n_actions: i64,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        if n_actions < 1 {
            return Err(NnError::NotPositive {
                what: "the number of actions",
                got: n_actions,
            });
        }
        let init = Init::Orthogonal;
        let torso = Torso::new(params, config, MLP, obs_shape, init, rng)?;
        let value_torso = match obs_shape {
            ObsShape::Frames(_) => None,
            ObsShape::Features(n) => Some(MlpTorso::new(params, "value_torso", MLP, n, init, rng)?),
        };
        let n_features = torso.out_features();
        let policy = Linear::new(
            params,
            "policy",
            (n_features, n_actions),
            init,
            POLICY_GAIN,
            rng,
        );
        let value = Linear::new(params, "value", (n_features, 1), init, VALUE_GAIN, rng);
        Ok(Self {
            torso,
            value_torso,
            policy,
            value,
        })
    }

    /// A second handle of the same network, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            torso: self.torso.share(),
            value_torso: self.value_torso.as_ref().map(MlpTorso::share),
            policy: self.policy.share(),
            value: self.value.share(),
        }
    }

    /// Its operations.
    pub fn flops(&self) -> Flops {
        let own = self.value_torso.as_ref().map(MlpTorso::flops);
        self.torso.flops() + own.unwrap_or_default() + self.policy.flops() + self.value.flops()
    }

    /// The policy's logits and the state's value.
    ///
    /// # Shapes
    /// Observations as [`ObsShape::tensor`] makes them `-> ([B, A], [B])`
    pub fn forward(&self, obs: &Tensor) -> (Tensor, Tensor) {
        let features = self.torso.forward(obs); // [B, F]
        self.heads(&features, obs)
    }

    /// The part of a forward pass that is worth keeping, to be finished now or, with others of the same parameters, later. `tape` as in
    /// [`crate::NatureTorso::begin`].
    ///
    /// # Shapes
    /// Observations `[B, ...] -> [B, n]`
    pub fn begin(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        self.torso.begin(obs, tape)
    }

    /// The policy's logits and the state's value, from what was begun. `tape` as in [`Linear::relu`].
    ///
    /// # Shapes
    /// `[B, n] -> ([B, A], [B])`
    pub fn finish(&self, begun: &Tensor, tape: Option<&mut Tape>) -> (Tensor, Tensor) {
        let features = self.torso.finish(begun, tape); // [B, F]
        self.heads(&features, begun) // of numbers these themselves were begun: see `Torso::begin`
    }

    /// The policy's logits and the state's value, from features and, where the value has a torso of its own, numbers.
    fn heads(&self, features: &Tensor, numbers: &Tensor) -> (Tensor, Tensor) {
        let logits = self.policy.forward(features); // [B, A]
        let value = match &self.value_torso {
            Some(torso) => self.value.forward(&torso.forward(numbers)), // [B, 1]
            None => self.value.forward(features),                       // [B, 1]
        };
        (logits, value.squeeze_dim(1))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::{Device, Kind};

    use super::*;
    use crate::{CoordLayers, TorsoKind};

    const CONFIG: TorsoConfig = TorsoConfig {
        kind: TorsoKind::CoordConv,
        coord_layers: CoordLayers::First,
        coord_radius: false,
    };

    const FRAMES: ObsShape = ObsShape::Frames([4, 40, 40]);

    fn build(n_actions: i64, seed: u64) -> Result<(Params, ActorCritic), NnError> {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = ActorCritic::new(&mut params, &CONFIG, FRAMES, n_actions, &mut rng)?;
        Ok((params, net))
    }

    #[test]
    fn logits_are_per_action_value_per_image_and_the_first_policy_nearly_uniform() {
        let (_, net) = build(6, 1).unwrap();
        for n_images in [1, 3] {
            let obs = Tensor::ones([n_images, 4, 40, 40], (Kind::Uint8, Device::Cpu)) * 200;
            let (logits, value) = net.forward(&obs.to_kind(Kind::Uint8));
            assert_eq!(
                (logits.size(), value.size()),
                (vec![n_images, 6], vec![n_images])
            );
            let policy = logits.softmax(1, Kind::Float);
            assert!(((policy * 6.0) - 1.0).abs().max().double_value(&[]) < 0.05);
        }
    }

    #[test]
    fn names_are_in_the_order_of_the_layers_and_the_seed_decides_the_weights() {
        let (params, _) = build(6, 1).unwrap();
        let names: Vec<_> = params.iter().map(|(name, _)| name).collect();
        let layers = [
            "torso.conv1",
            "torso.conv2",
            "torso.conv3",
            "torso.fc",
            "policy",
            "value",
        ];
        let expected: Vec<_> = layers
            .iter()
            .flat_map(|layer| [format!("{layer}.weight"), format!("{layer}.bias")])
            .collect();
        assert_eq!(names, expected);
        assert_eq!(params.tensors(), build(6, 1).unwrap().0.tensors());
        assert_ne!(params.tensors(), build(6, 2).unwrap().0.tensors());
    }

    #[test]
    fn on_numbers_the_value_has_a_torso_of_its_own() {
        let config = TorsoConfig {
            kind: TorsoKind::Mlp,
            ..CONFIG
        };
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let shape = ObsShape::Features(4);
        let net = ActorCritic::new(&mut params, &config, shape, 2, &mut rng).unwrap();
        // 4 to 64 to 64, twice, and the heads: as Stable-Baselines3's A2C on CartPole-v1.
        assert_eq!(params.n_elements(), 2 * (5 * 64 + 65 * 64) + 65 * 2 + 65);
        let obs = Tensor::ones([3, 4], (Kind::Float, Device::Cpu));
        let (logits, value) = net.share().forward(&obs);
        assert_eq!((logits.size(), value.size()), (vec![3, 2], vec![3]));

        let value = value.sum(Kind::Float);
        let grads = Tensor::run_backward(&[value], &params.tensors(), false, false);
        for ((name, _), grad) in params.iter().zip(grads) {
            let moves = grad.defined() && grad.abs().max().double_value(&[]) > 0.0;
            assert_eq!(moves, name.starts_with("value"), "{name}");
        }
    }

    #[test]
    fn no_action_is_refused() {
        let message = build(0, 1).map(|_| ()).unwrap_err().to_string();
        assert_eq!(message, "the number of actions must be at least 1, got 0");
    }
}
