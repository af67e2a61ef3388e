//! The actor-critic of Mnih et al. 2016 ("Asynchronous methods for deep reinforcement learning", section 4) on the shared
//! Nature torso: a policy head and a value head, with the gains of `OpenAI` Baselines' A2C.

use rand::Rng;
use tch::Tensor;

use crate::init::{Init, POLICY_GAIN, VALUE_GAIN};
use crate::{Linear, NatureTorso, NnError, Params, TorsoConfig};

/// A torso with a policy head and a value head.
#[derive(Debug)]
pub struct ActorCritic {
    torso: NatureTorso,
    policy: Linear,
    value: Linear,
}

impl ActorCritic {
    /// The torso's parameters, then `policy.weight`, `policy.bias`, `value.weight`, `value.bias`. `obs_shape` is channels,
    /// height, width.
    ///
    /// # Errors
    /// If there is no action, or as [`NatureTorso::new`].
    pub fn new(
        params: &mut Params,
        config: &TorsoConfig,
        obs_shape: [i64; 3],
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
        let torso = NatureTorso::new(params, config, obs_shape, init, rng)?;
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
            policy,
            value,
        })
    }

    /// A second handle of the same network, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            torso: self.torso.share(),
            policy: self.policy.share(),
            value: self.value.share(),
        }
    }

    /// The policy's logits and the state's value.
    ///
    /// # Shapes
    /// `u8 [B, C, H, W] -> ([B, A], [B])`
    pub fn forward(&self, obs: &Tensor) -> (Tensor, Tensor) {
        let features = self.torso.forward(obs); // [B, 512]
        let logits = self.policy.forward(&features); // [B, A]
        let value = self.value.forward(&features).squeeze_dim(1); // [B]
        (logits, value)
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

    fn build(n_actions: i64, seed: u64) -> Result<(Params, ActorCritic), NnError> {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = ActorCritic::new(&mut params, &CONFIG, [4, 40, 40], n_actions, &mut rng)?;
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
    fn no_action_is_refused() {
        let message = build(0, 1).map(|_| ()).unwrap_err().to_string();
        assert_eq!(message, "the number of actions must be at least 1, got 0");
    }
}
