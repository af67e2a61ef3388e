//! Where and how exactly a network computes.
//!
//! With [`Precision::Bf16`] the hidden layers of pictures, where nearly all operations are, multiply numbers of 8 significant bits
//! (bfloat16: the range of f32 in half its bytes) and sum in f32. The parameters stay in f32: each layer computes with a rounded copy,
//! the optimizer moves the parameter itself, and the copy is rounded anew. Otherwise most updates would be lost: a step of a
//! thousandth of a weight is less than half of the last bit of 8. Source: Micikevicius et al. 2018, "Mixed Precision Training",
//! section 3.1 (master weights); bfloat16 needs none of the paper's scaling of the loss, for its range is that of f32.
//!
//! The last layers, whose results are the policy, the values and the loss, compute in f32.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

/// How exactly hidden layers compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// In f32 throughout.
    Float32,
    /// With products of bfloat16 numbers.
    Bf16,
}

impl Precision {
    /// The kind of hidden activations.
    pub fn kind(self) -> Kind {
        match self {
            Self::Float32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Bf16 => "bf16",
        })
    }
}

/// Where a network computes, and how exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compute {
    /// The device that holds the parameters.
    pub device: Device,
    /// How exactly hidden layers compute.
    pub precision: Precision,
}

/// In f32.
impl From<Device> for Compute {
    fn from(device: Device) -> Self {
        Self {
            device,
            precision: Precision::Float32,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Tensor;

    use super::*;
    use crate::init::Init;
    use crate::optim::{RmsPropTf, RmsPropTfConfig};
    use crate::{
        ActorCritic, CoordLayers, ObsShape, Params, QHead, QNetwork, QNetworkConfig, Tape,
        TorsoConfig, TorsoKind, gradients,
    };

    const PRECISIONS: [Precision; 2] = [Precision::Float32, Precision::Bf16];
    const SHAPE: [i64; 3] = [4, 44, 52];

    fn torso(kind: TorsoKind) -> TorsoConfig {
        TorsoConfig {
            kind,
            coord_layers: CoordLayers::All,
            coord_radius: false,
        }
    }

    fn actor_critic(kind: TorsoKind, precision: Precision) -> (Params, ActorCritic) {
        let mut params = Params::new(Compute {
            device: Device::Cpu,
            precision,
        });
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let shape = ObsShape::Frames(SHAPE);
        let net = ActorCritic::new(&mut params, &torso(kind), shape, 6, &mut rng).unwrap();
        (params, net)
    }

    fn frames() -> Tensor {
        let shape = [3, SHAPE[0], SHAPE[1], SHAPE[2]];
        let n: i64 = shape.iter().product();
        (Tensor::arange(n, (Kind::Int64, Device::Cpu)) * 7919)
            .remainder(256)
            .to_kind(Kind::Uint8)
            .view(shape)
    }

    /// Of the length of `expected`, how far `got` is from it.
    fn distance(got: &Tensor, expected: &Tensor) -> f64 {
        let norm = |x: &Tensor| x.square().sum(Kind::Double).sqrt().double_value(&[]);
        norm(&(got - expected)) / norm(expected)
    }

    #[test]
    fn results_and_gradients_are_close_to_those_of_f32() {
        for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
            let [exact, rounded] = PRECISIONS.map(|precision| {
                let (params, net) = actor_critic(kind, precision);
                let (logits, value) = net.forward(&frames());
                assert_eq!((logits.kind(), value.kind()), (Kind::Float, Kind::Float));
                let loss = value.square().sum(Kind::Float)
                    - logits
                        .log_softmax(1, Kind::Float)
                        .select(1, 2)
                        .sum(Kind::Float);
                (params, logits, value, loss)
            });
            assert!(distance(&rounded.1, &exact.1) < 0.02, "{kind}");
            assert!(distance(&rounded.2, &exact.2) < 0.02, "{kind}");
            let grads = |(params, _, _, loss): &(Params, Tensor, Tensor, Tensor)| {
                gradients(loss, &params.leaves(), Tape::default())
            };
            for (((name, param), exact), rounded) in
                exact.0.iter().zip(grads(&exact)).zip(grads(&rounded))
            {
                assert_eq!(
                    (rounded.kind(), rounded.stride()),
                    (Kind::Float, param.stride())
                );
                let distance = distance(&rounded, &exact);
                assert!(distance < 0.15, "{name}, {kind}: {distance}");
            }
        }
    }

    #[test]
    fn a_q_network_of_either_head_takes_it() {
        for head in [QHead::Plain, QHead::Dueling] {
            let [exact, rounded] = PRECISIONS.map(|precision| {
                let mut params = Params::new(Compute {
                    device: Device::Cpu,
                    precision,
                });
                let config = QNetworkConfig {
                    torso: torso(TorsoKind::Conv),
                    obs_shape: ObsShape::Frames(SHAPE),
                    n_actions: 6,
                    head,
                    init: Init::Torch,
                };
                let mut rng = ChaCha8Rng::seed_from_u64(1);
                let net = QNetwork::new(&mut params, &config, &mut rng).unwrap();
                net.forward(&frames())
            });
            assert!(distance(&rounded, &exact) < 0.02, "{head:?}");
        }
    }

    /// A thousand steps of a thousandth of the last bit of 8 move the parameter, and with it the copy.
    #[test]
    fn steps_too_small_for_the_copy_are_not_lost() {
        let mut params = Params::new(Compute {
            device: Device::Cpu,
            precision: Precision::Bf16,
        });
        let copy = params.add_hidden("w", Tensor::from_slice(&[1.0_f32]));
        let constants = RmsPropTfConfig {
            decay: 0.0,
            epsilon: 0.0,
        };
        let mut optimizer = RmsPropTf::new(constants, &params);
        let step = 1e-3 / 128.0;
        for _ in 0..1000 {
            optimizer.step(&params, &[Tensor::from_slice(&[-1.0_f32])], step);
        }
        let moved = params.tensors()[0].double_value(&[0]);
        assert!((moved - 1.0 - 1.0 / 128.0).abs() < 1e-4, "{moved}");
        assert!((copy.double_value(&[0]) - moved).abs() < 1e-4);
        assert_eq!(copy.kind(), Kind::BFloat16);
    }

    #[test]
    fn what_is_loaded_is_rounded_anew() {
        let (source, _) = actor_critic(TorsoKind::Conv, Precision::Float32);
        let (mut params, _) = actor_critic(TorsoKind::Conv, Precision::Bf16);
        let _ = tch::no_grad(|| params.tensors()[0].fill_(3.0));
        let saved: Vec<_> = source
            .iter()
            .map(|(name, tensor)| (name.to_owned(), tensor.detach()))
            .collect();
        params.load(&saved).unwrap();
        for (leaf, exact) in params.leaves().iter().zip(source.tensors()) {
            assert_eq!(*leaf, exact.to_kind(leaf.kind()));
        }
    }
}
