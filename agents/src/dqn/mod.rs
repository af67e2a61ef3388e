//! Deep Q-networks (DQN).
//!
//! Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning" (Nature 518), and what later papers
//! added to it, each behind a switch that changes this and nothing else:
//!
//! | switch | source | what it changes |
//! | --- | --- | --- |
//! | `double` | van Hasselt et al. 2016, equation 4 | which action the target network values (`loss.rs`) |
//! | `dueling` | Wang et al. 2016, equation 9 | the network ([`rlrun_nn::QNetwork`]) |
//! | `n_step` | Sutton 1988 | `reward_t` and `discount_t` of a transition ([`crate::replay`]) |
//! | `prioritized` | Schaul et al. 2016 | which transitions are drawn, and their weights ([`crate::replay`]) |
//!
//! The "tuned" Double DQN of van Hasselt et al. also changes the last layer's bias, epsilon and the target's period; the
//! switch does not. The hyper-parameters and where each comes from stand in `configs/dqn.toml`.
//!
//! ```text
//! Dqn --actor()--> Actor, a copy of the online network       observations -> q values -> epsilon_greedy -> actions
//!  ^                 refresh                                                                               |
//!  |                                                         replay memory <-- transitions ----------------'
//!  |--replica()--> Replica, one per share of a batch               | ReplayBatch
//!  |                 gradient of its rows  <-----------------------'
//!  '---apply(gradients of all shares) -> td errors -> priorities
//! ```

mod actor;
mod config;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod kit;
mod loss;
mod network;
mod optimizer;
mod replica;
#[cfg(test)]
mod share_tests;
#[cfg(test)]
mod tests;

pub use actor::{Actor, epsilon_greedy, greedy, random_action};
pub use config::{DqnConfig, LossKind, OptimizerKind};
pub use replica::{Replica, ShareGradient};
use rlrun_nn::optim::{Summed, clip_scale};
use rlrun_nn::{Compute, Flops, NnError, Params, TorsoConfig, copy_all};
use tch::{Device, Tensor};
use thiserror::Error;

use self::network::{Network, Shape};
use self::optimizer::Optimizer;
use crate::task::Task;

/// The agent: its online and its target network, its optimizer, its hyper-parameters.
#[derive(Debug)]
pub struct Dqn {
    config: DqnConfig,
    shape: Shape,
    online: Part,
    target: Part,
    optimizer: Optimizer,
}

/// A network and the parameters that it alone has.
#[derive(Debug)]
struct Part {
    params: Params,
    network: Network,
}

/// What an update did. Scalars are means over the batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpdateStats {
    /// Mean of weight * loss(td error).
    pub loss: f64,
    /// Mean of `Q(o_tm1, a_tm1)`, the values of the actions taken.
    pub q_mean: f64,
    /// Mean of |td error|.
    pub td_abs_mean: f64,
    /// Global L2 norm of the gradient before it was clipped.
    pub grad_norm: f64,
    /// Step size that was used.
    pub learning_rate: f64,
}

/// What can go wrong with an agent.
#[derive(Debug, Error)]
pub enum DqnError {
    /// The network does not fit the task, or saved tensors do not fit the network.
    #[error(transparent)]
    Network(#[from] NnError),
    /// The gradient is infinite or not a number; the weights are those of before the update.
    #[error(
        "the gradient at step {step} is not finite (norm {norm}): training has diverged; start anew with a smaller dqn.learning_rate"
    )]
    Diverged {
        /// Steps taken before the update.
        step: u64,
        /// Norm of the gradient.
        norm: f64,
    },
}

const ONLINE: &str = "online/";
const TARGET: &str = "target/";
const OPTIMIZER: &str = "optimizer/";

impl Dqn {
    /// A new agent whose initial weights follow from `seed`; both networks have the same.
    ///
    /// # Errors
    /// If the observations are too small for the torso, or there is no action.
    pub fn new(
        config: DqnConfig,
        torso: &TorsoConfig,
        task: Task,
        compute: impl Into<Compute>,
        seed: u64,
    ) -> Result<Self, DqnError> {
        let shape = Shape::new(&config, *torso, task, compute.into());
        let online = Part::new(&shape, seed)?;
        let target = Part::new(&shape, seed)?;
        let optimizer = Optimizer::new(&config, &online.params);
        Ok(Self {
            config,
            shape,
            online,
            target,
            optimizer,
        })
    }

    /// Floating-point operations of the network.
    pub fn flops(&self) -> Flops {
        self.online.network.flops()
    }

    /// Where its networks live.
    pub fn device(&self) -> Device {
        self.shape.compute.device
    }

    /// Whether one [`Replica`] keeps all threads of the rayon pool it is called in busy with a batch. Where not, several share it out by rows.
    pub fn fills_a_pool(&self) -> bool {
        self.online.network.fills_a_pool()
    }

    /// Something that computes gradients under this agent's parameters.
    ///
    /// It may be sent to another thread. It must rest while [`Self::apply`] or [`Self::sync_target`] changes the parameters.
    pub fn replica(&self) -> Replica {
        let networks = (self.online.network.share(), self.target.network.share());
        let params = self.online.params.leaves();
        Replica::new(&self.config, networks.0, networks.1, params)
    }

    /// Something that acts under a copy of the online parameters. It may be sent to another thread.
    ///
    /// # Errors
    /// None that [`Self::new`] would not have had: another network of the same shape is built.
    pub fn actor(&self) -> Result<Actor, DqnError> {
        self.actor_with(&self.weights())
    }

    /// Something that acts under a copy of `weights`, which are what [`Self::weights`] gave now or earlier, until it is
    /// refreshed.
    ///
    /// # Errors
    /// They are not those of this agent's network.
    pub fn actor_with(&self, weights: &[(String, Tensor)]) -> Result<Actor, DqnError> {
        let Part {
            mut params,
            network,
        } = Part::new(&self.shape, 0)?;
        params.load(weights)?;
        Ok(Actor {
            network,
            params: params.leaves(),
            source: self.online.params.leaves(),
        })
    }

    /// The update from the gradients of all shares, in their order, `step` steps into the training. Returns the td errors
    /// y - Q as well, in the order of the shares' rows.
    ///
    /// # Errors
    /// [`DqnError::Diverged`], with the weights as they were.
    pub fn apply(
        &mut self,
        shares: Vec<ShareGradient>,
        step: u64,
    ) -> Result<(UpdateStats, Vec<f32>), DqnError> {
        let (summed, terms, td_errors) = ShareGradient::sum(shares);
        let Summed {
            grads,
            norm: grad_norm,
        } = summed;
        if !grad_norm.is_finite() {
            return Err(DqnError::Diverged {
                step,
                norm: grad_norm,
            });
        }
        let scale = match self.config.max_grad_norm {
            max_norm if max_norm > 0.0 => clip_scale(grad_norm, max_norm),
            _ => 1.0,
        };
        let learning_rate = self.config.learning_rate;
        self.optimizer
            .step_scaled(&self.online.params, &grads, learning_rate, scale);
        let stats = UpdateStats {
            loss: terms.loss,
            q_mean: terms.q,
            td_abs_mean: mean_abs(&td_errors),
            grad_norm,
            learning_rate,
        };
        Ok((stats, td_errors))
    }

    /// Copies the online network into the target network.
    pub fn sync_target(&mut self) {
        copy_all(&self.online.params.tensors(), &self.target.params.tensors());
        self.target.params.round();
    }

    /// Everything that has to be saved: both networks' parameters and the optimizer's state.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let parts = [
            (ONLINE, named(&self.online.params)),
            (TARGET, named(&self.target.params)),
            (OPTIMIZER, self.optimizer.state()),
        ];
        let prefixed = |(prefix, tensors): (&'static str, Vec<(String, Tensor)>)| {
            let tensors = tensors.into_iter();
            tensors.map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
        };
        parts.into_iter().flat_map(prefixed).collect()
    }

    /// The online network's parameters, in order.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        named(&self.online.params)
    }

    /// Takes back what [`Self::state`] gave.
    ///
    /// # Errors
    /// If names or shapes do not fit this agent. It is then unusable.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<(), DqnError> {
        let part = |prefix: &str| -> Vec<(String, Tensor)> {
            let named = state.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(prefix)?;
                Some((name.to_owned(), tensor.shallow_clone()))
            });
            named.collect()
        };
        self.online.params.load(&part(ONLINE))?;
        self.target.params.load(&part(TARGET))?;
        self.optimizer.load_state(&part(OPTIMIZER))?;
        Ok(())
    }
}

impl Part {
    fn new(shape: &Shape, seed: u64) -> Result<Self, NnError> {
        let (params, network) = shape.build(seed)?;
        Ok(Self { params, network })
    }
}

fn named(params: &Params) -> Vec<(String, Tensor)> {
    let tensors = params.iter();
    tensors
        .map(|(name, tensor)| (name.to_owned(), tensor.detach()))
        .collect()
}

fn mean_abs(values: &[f32]) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a batch has far fewer than 2^52 transitions"
    )]
    let n = values.len() as f64;
    values.iter().map(|&x| f64::from(x.abs())).sum::<f64>() / n
}
