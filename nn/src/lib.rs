//! The networks of rlrun and what trains them, on libtorch and usable on its own: `CoordConv` (Liu et al. 2018), the Nature
//! torso (Mnih et al. 2015) with or without it, a perceptron, actor-critic and Q-value heads, initialisation, and optimizers
//! whose state can be saved.
//!
//! ```text
//! Params --- every trainable tensor, named, in the order of creation
//!   ^
//!   | new(&mut Params, ...) registers
//! ActorCritic | QNetwork -> Torso -> NatureTorso -> Conv2d | CoordConv2d, Linear
//!   |                            '--> MlpTorso -> Linear
//!   |  forward(obs)                           coords: the coordinate channels, built once per size
//!   v
//! loss -> gradients(&loss, &params.leaves(), tape) -> grads -> optim::{RmsPropTf, RmsPropCentered, Adam}
//! ```
//!
//! On a CPU with AVX-512 the Nature torso computes with kernels of ours, through which libtorch has no graph: a forward pass whose gradient is
//! wanted takes a [`Tape`] along ([`tape`]).
//!
//! A layer keeps handles of the tensors that [`Params`] owns; the optimizer changes them in place, so a layer never needs
//! to be told of an update. Nothing here draws from libtorch's global generator: initialisers take an [`rand::Rng`].
//!
//! # Layout
//! Shapes are `PyTorch`'s, `[B, C, H, W]`. On the CPU the torso keeps the memory of its activations channels-last
//! (`[B, H, W, C]` order behind the same shape), which libtorch's convolutions recognise; see [`torso`].
//!
//! ```no_run,standalone_crate
//! use rand::SeedableRng as _;
//! use rlrun_nn::{ActorCritic, CoordLayers, ObsShape, Params, TorsoConfig, TorsoKind};
//! use tch::{Device, Kind, Tensor};
//!
//! let config = TorsoConfig { kind: TorsoKind::CoordConv, coord_layers: CoordLayers::First, coord_radius: false };
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
//! let mut params = Params::new(Device::Cpu);
//! let net = ActorCritic::new(&mut params, &config, ObsShape::Frames([4, 84, 84]), 9, &mut rng)?;
//! let obs = Tensor::zeros([2, 4, 84, 84], (Kind::Uint8, Device::Cpu));
//! let (logits, value) = net.forward(&obs);
//! assert_eq!((logits.size(), value.size()), (vec![2, 9], vec![2]));
//! # Ok::<(), rlrun_nn::NnError>(())
//! ```

mod actor_critic;
mod chosen_torso;
mod conv;
mod coordconv;
mod coords;
mod cuda_graph;
mod dense;
mod error;
mod flops;
#[cfg(test)]
mod golden;
mod gradient;
pub mod init;
mod lanes;
mod linear;
mod mlp_torso;
mod nature_convs;
mod obs_shape;
mod one_piece;
pub mod optim;
mod params;
mod pixels;
mod pool;
mod precision;
mod q_network;
mod slices;
pub mod tape;
pub mod torso;
mod torso_config;
mod transfer;
pub mod vectors;
mod winograd;

pub use actor_critic::ActorCritic;
pub use chosen_torso::Torso;
pub use conv::{Conv2d, ConvSpec, memory_order};
pub use coordconv::CoordConv2d;
pub use coords::coord_channels;
pub use cuda_graph::Captured;
pub use error::NnError;
pub use flops::Flops;
pub use gradient::Gradient;
pub use linear::Linear;
pub use mlp_torso::{Activation, MlpSpec, MlpTorso};
pub use nature_convs::NatureConvs;
pub use obs_shape::ObsShape;
pub use one_piece::copy_all;
pub use params::Params;
pub use pool::both;
pub use precision::{Compute, Precision};
pub use q_network::{QHead, QNetwork, QNetworkConfig};
pub use tape::{Tape, gradients, gradients_from, unmultiplied_gradients};
pub use torso::NatureTorso;
pub use torso_config::{CoordLayers, TorsoConfig, TorsoKind};
pub use transfer::{SendBuffer, to_device};
