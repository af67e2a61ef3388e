//! How many floating-point operations a network takes, counted from its shapes.
//!
//! A multiplication and an addition count as two. Counted are the products of weights and inputs; in the backward pass those
//! for the gradient of the weights and those for the gradient of the inputs, which a first layer does not need. Biases,
//! activations and losses, below a hundredth of it, are left out.

use std::ops::Add;

/// Floating-point operations of a network or a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flops {
    /// For each observation of a batch.
    each: Passes,
    /// Once for a batch of any size: the coordinates of `CoordConv`, which are the same for every image.
    once: Passes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Passes {
    forward: u64,
    backward: u64,
}

impl Flops {
    /// A layer with `n_in` inputs and `n_out` outputs at each of `n_positions` of an image; a linear layer has one.
    ///
    /// # Panics
    /// If a size is negative.
    pub(crate) fn layer(n_positions: i64, n_in: i64, n_out: i64) -> Self {
        let n_products = u64::try_from(n_positions * n_in * n_out).expect("sizes are not negative");
        let each = Passes {
            forward: 2 * n_products,
            backward: 4 * n_products,
        };
        let once = Passes::default();
        Self { each, once }
    }

    /// The same, taken once for a whole batch.
    pub(crate) fn once_a_batch(self) -> Self {
        Self {
            each: Passes::default(),
            once: self.each + self.once,
        }
    }

    /// The same layer, of whose inputs no gradient is asked.
    pub(crate) fn without_input_gradient(self) -> Self {
        let of_weights = |passes: Passes| Passes {
            backward: passes.backward.min(passes.forward),
            ..passes
        };
        Self {
            each: of_weights(self.each),
            once: of_weights(self.once),
        }
    }

    /// Operations of a forward pass on `n` observations.
    pub fn forward(&self, n: u64) -> u64 {
        n * self.each.forward + self.once.forward
    }

    /// Operations of the backward pass after it.
    pub fn backward(&self, n: u64) -> u64 {
        n * self.each.backward + self.once.backward
    }
}

impl Add for Flops {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            each: self.each + other.each,
            once: self.once + other.once,
        }
    }
}

impl Add for Passes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            forward: self.forward + other.forward,
            backward: self.backward + other.backward,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;
    use crate::init::Init;
    use crate::{
        ActorCritic, CoordLayers, NatureTorso, ObsShape, Params, QHead, QNetwork, QNetworkConfig,
        TorsoConfig, TorsoKind,
    };

    const PLAIN: TorsoConfig = torso(TorsoKind::Conv, CoordLayers::First);
    const ATARI: [i64; 3] = [4, 84, 84];
    /// By hand: 20x20 positions of 32 kernels of 8x8x4, 9x9 of 64 of 4x4x32, 7x7 of 64 of 3x3x64, then 3136 inputs of 512
    /// units, each twice.
    const CONV1: u64 = 2 * 400 * 32 * 256;
    const CONVS: u64 = CONV1 + 2 * 81 * 64 * 512 + 2 * 49 * 64 * 576;
    const FC: u64 = 2 * 3136 * 512;

    const fn torso(kind: TorsoKind, coord_layers: CoordLayers) -> TorsoConfig {
        TorsoConfig {
            kind,
            coord_layers,
            coord_radius: false,
        }
    }

    fn of_torso(config: TorsoConfig) -> Flops {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut params = Params::new(Device::Cpu);
        let init = Init::Torch;
        NatureTorso::new(&mut params, &config, ATARI, init, &mut rng)
            .unwrap()
            .flops()
    }

    fn of_q_network(head: QHead) -> Flops {
        let config = QNetworkConfig {
            torso: PLAIN,
            obs_shape: ObsShape::Frames(ATARI),
            n_actions: 9,
            head,
            init: Init::Torch,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        QNetwork::new(&mut Params::new(Device::Cpu), &config, &mut rng)
            .unwrap()
            .flops()
    }

    #[test]
    fn the_nature_torso_takes_as_many_as_by_hand() {
        let flops = of_torso(PLAIN);
        assert_eq!(flops.forward(1), 18_685_952);
        assert_eq!(flops.forward(1), CONVS + FC);
        // Two products for each of the forward pass, but the pixels need no gradient.
        assert_eq!(flops.backward(1), 2 * 18_685_952 - CONV1);
        assert_eq!(flops.forward(80), 80 * 18_685_952);
    }

    #[test]
    fn coordinates_are_counted_once_for_a_batch() {
        let added = |coord_layers, n| {
            let flops = of_torso(torso(TorsoKind::CoordConv, coord_layers));
            let plain = of_torso(PLAIN);
            assert_eq!(
                flops.backward(n) - plain.backward(n),
                flops.forward(n) - plain.forward(n)
            );
            flops.forward(n) - plain.forward(n)
        };
        let first = 2 * 400 * 32 * (64 * 2);
        assert_eq!(added(CoordLayers::First, 1), first);
        assert_eq!(added(CoordLayers::First, 16), first);
        let others = 2 * 81 * 64 * (16 * 2) + 2 * 49 * 64 * (9 * 2);
        assert_eq!(added(CoordLayers::All, 16), first + others);
    }

    #[test]
    fn heads_are_added_to_their_torso() {
        assert_eq!(
            of_q_network(QHead::Plain).forward(1),
            CONVS + FC + 2 * 512 * 9
        );
        let dueling = CONVS + 2 * FC + 2 * 512 * 10;
        assert_eq!(of_q_network(QHead::Dueling).forward(1), dueling);

        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut of_actor_critic = |config, obs_shape| {
            let mut params = Params::new(Device::Cpu);
            ActorCritic::new(&mut params, &config, obs_shape, 2, &mut rng)
                .unwrap()
                .flops()
        };
        let frames = of_actor_critic(PLAIN, ObsShape::Frames(ATARI));
        assert_eq!(frames.forward(1), CONVS + FC + 2 * 512 * 3);
        // Two perceptrons of 64 and 64 units on 4 numbers.
        let mlp = torso(TorsoKind::Mlp, CoordLayers::First);
        let features = of_actor_critic(mlp, ObsShape::Features(4));
        let (fc1, rest) = (2 * 4 * 64, 2 * 64 * 64);
        assert_eq!(features.forward(1), 2 * (fc1 + rest) + 2 * 64 * 3);
        assert_eq!(
            features.backward(1),
            2 * (fc1 + 2 * rest) + 2 * (2 * 64 * 3)
        );
    }
}
