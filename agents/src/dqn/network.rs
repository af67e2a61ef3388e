//! A Q-network that reads the bytes of observations, and its parameters.

use rlrun_nn::{
    Compute, Flops, NnError, ObsShape, Params, QHead, QNetwork, QNetworkConfig, TorsoConfig,
};
use tch::{Device, Tensor};

use super::DqnConfig;
use crate::stream::{Consumer, stream};
use crate::task::Task;

/// What decides a network's shape: enough to build another one like it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) network: QNetworkConfig,
    pub(super) compute: Compute,
}

impl Shape {
    pub(super) fn new(
        config: &DqnConfig,
        torso: TorsoConfig,
        task: Task,
        compute: Compute,
    ) -> Self {
        let head = if config.dueling {
            QHead::Dueling
        } else {
            QHead::Plain
        };
        let network = QNetworkConfig {
            torso,
            obs_shape: task.obs_shape,
            n_actions: task.n_actions,
            head,
            init: config.init,
        };
        Self { network, compute }
    }

    /// A network whose weights follow from `seed`.
    pub(super) fn build(&self, seed: u64) -> Result<(Params, Network), NnError> {
        let mut params = Params::new(self.compute);
        let mut rng = stream(seed, Consumer::Initialisation, 0, 0);
        let net = QNetwork::new(&mut params, &self.network, &mut rng)?;
        let network = Network {
            net,
            obs_shape: self.network.obs_shape,
            device: self.compute.device,
        };
        Ok((params, network))
    }
}

/// The network. What it computes depends on parameters that others hold handles of as well.
#[derive(Debug)]
pub(super) struct Network {
    net: QNetwork,
    obs_shape: ObsShape,
    device: Device,
}

impl Network {
    /// A second handle, for another thread: it sees every change of the parameters.
    pub(super) fn share(&self) -> Self {
        Self {
            net: self.net.share(),
            obs_shape: self.obs_shape,
            device: self.device,
        }
    }

    /// The values of all actions in a batch of observations.
    ///
    /// # Shapes
    /// `obs` \[b, obs\] bytes; gives \[b, A\] on the network's device.
    pub(super) fn forward(&self, obs: &[u8]) -> Tensor {
        self.net.forward(&self.obs_shape.tensor(obs, self.device))
    }

    /// The same, written to `values` \[b, A\].
    pub(super) fn q_values(&self, obs: &[u8], values: &mut Vec<f32>) {
        let q = tch::no_grad(|| self.forward(obs)); // [b, A]
        copy_out(&q, values);
    }

    /// Its operations.
    pub(super) fn flops(&self) -> Flops {
        self.net.flops()
    }

    /// How many bytes an observation has.
    pub(super) fn obs_len(&self) -> usize {
        self.obs_shape.n_bytes()
    }

    /// Where the network lives.
    pub(super) fn device(&self) -> Device {
        self.device
    }
}

/// The elements of a float tensor, into a vector that is used again.
pub(super) fn copy_out(tensor: &Tensor, target: &mut Vec<f32>) {
    let n = tensor.numel();
    target.resize(n, 0.0);
    tensor
        .to_device(Device::Cpu)
        .contiguous()
        .copy_data(target, n);
}

/// Copies values into parameters of the same shapes, in place.
pub(super) fn copy_params(from: &[Tensor], to: &[Tensor]) {
    tch::no_grad(|| {
        for (from, to) in from.iter().zip(to) {
            to.shallow_clone().copy_(from);
        }
    });
}
