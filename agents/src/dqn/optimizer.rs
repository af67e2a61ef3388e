//! The optimizers that DQN was published with, behind one door.

use rlrun_nn::optim::{Adam, AdamConfig, EpsilonForm, RmsPropCentered, RmsPropCenteredConfig};
use rlrun_nn::{Gradient, NnError, Params};
use tch::Tensor;

use super::{DqnConfig, OptimizerKind};

/// An optimizer with its state.
#[derive(Debug)]
pub(super) enum Optimizer {
    Adam(Adam),
    RmsPropCentered(RmsPropCentered),
}

impl Optimizer {
    /// The one that `config` names, for `params`.
    pub(super) fn new(config: &DqnConfig, params: &Params) -> Self {
        match config.optimizer {
            OptimizerKind::Adam => {
                let constants = AdamConfig {
                    beta1: config.adam_beta1,
                    beta2: config.adam_beta2,
                    epsilon: config.adam_epsilon,
                    epsilon_form: EpsilonForm::AfterCorrection,
                };
                Self::Adam(Adam::new(constants, params))
            }
            OptimizerKind::RmspropCentered => {
                let constants = RmsPropCenteredConfig {
                    decay: config.rmsprop_decay,
                    epsilon: config.rmsprop_epsilon,
                };
                Self::RmsPropCentered(RmsPropCentered::new(constants, params))
            }
        }
    }

    /// One update with every gradient multiplied by `grad_scale`.
    pub(super) fn step_scaled(
        &mut self,
        params: &Params,
        grads: &[Gradient],
        lr: f64,
        grad_scale: f64,
    ) {
        match self {
            Self::Adam(adam) => adam.step_scaled(params, grads, lr, grad_scale),
            Self::RmsPropCentered(rms) => rms.step_scaled(params, grads, lr, grad_scale),
        }
    }

    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        match self {
            Self::Adam(adam) => adam.state(),
            Self::RmsPropCentered(rms) => rms.state(),
        }
    }

    pub(super) fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<(), NnError> {
        match self {
            Self::Adam(adam) => adam.load_state(saved),
            Self::RmsPropCentered(rms) => rms.load_state(saved),
        }
    }
}
