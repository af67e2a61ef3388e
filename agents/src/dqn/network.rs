//! A Q-network that reads the bytes of observations, and its parameters.

use std::ops::Range;

use rlrun_nn::{
    Captured, Compute, Flops, NnError, ObsShape, Params, QHead, QNetwork, QNetworkConfig,
    SendBuffer, Tape, TorsoConfig,
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
        if self.compute.device != Device::Cpu {
            params.lay_out();
        }
        let network = Network {
            net,
            obs_shape: self.network.obs_shape,
            device: self.compute.device,
            passes: Captured::default(),
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
    /// Forward passes without a gradient.
    passes: Captured,
}

impl Network {
    /// A second handle, for another thread: it sees every change of the parameters.
    pub(super) fn share(&self) -> Self {
        Self {
            net: self.net.share(),
            obs_shape: self.obs_shape,
            device: self.device,
            passes: Captured::default(),
        }
    }

    /// The observations in `range` of a batch's bytes, \[b, ...\], on the network's device.
    pub(super) fn sent(&self, bytes: &SendBuffer, range: Range<usize>) -> Tensor {
        match self.obs_shape {
            ObsShape::Frames([c, h, w]) => bytes.to_device(range, self.device).view([-1, c, h, w]),
            ObsShape::Features(_) => self.obs_shape.tensor(&bytes[range], self.device),
        }
    }

    /// The values of all actions, \[b, A\], in such a batch.
    pub(super) fn forward(&self, obs: &Tensor) -> Tensor {
        self.net.forward(obs)
    }

    /// The same for a gradient, through what is on the tape.
    pub(super) fn record(&self, obs: &Tensor, tape: &mut Tape) -> Tensor {
        self.net.record(obs, tape)
    }

    /// The same for the bytes of observations, written to `values` \[b, A\].
    pub(super) fn q_values(&self, obs: &[u8], values: &mut Vec<f32>) {
        let obs = self.obs_shape.tensor(obs, self.device); // [b, ...]
        let forward = |inputs: &[Tensor]| vec![tch::no_grad(|| self.forward(&inputs[0]))]; // [b, A]
        let q = self.passes.call(&[obs], forward);
        copy_out(&q[0], values);
    }

    /// As [`QNetwork::fills_a_pool`].
    pub(super) fn fills_a_pool(&self) -> bool {
        self.net.fills_a_pool()
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
