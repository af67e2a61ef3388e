//! The training of one network on one task: updates over shuffled epochs, and what is measured on the way.
//!
//! ```text
//! epoch k: examples in an order of its own (seed, k)  ->  batches  ->  loss + l2 * sum of squared kernels  ->  Adam
//! ```
//!
//! The last, smaller batch of an epoch is kept, as in the released code. All randomness is derived from the seed and the
//! number of the epoch, so there is no generator to save: parameters, optimizer, running statistics and the number of
//! updates are the whole state, and a training that goes on from it gives the same numbers, bit for bit.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use rlrun_nn::optim::{Adam, AdamConfig, EpsilonForm};
use rlrun_nn::{NnError, Params};

use crate::json::number;
use crate::loss::Target;
use crate::model::{Learned, Model};
use crate::not_so_clevr::{Location, Parts};
use crate::plan::{PlanError, ToyPlan};

/// Examples that are predicted together.
const EVAL_BATCH: usize = 64;

/// A network, its optimizer and how far they are.
#[derive(Debug)]
pub struct Training {
    plan: ToyPlan,
    parts: Parts,
    params: Params,
    model: Model,
    adam: Adam,
    /// The examples in the order of the current epoch.
    order: Vec<Location>,
    progress: TrainingProgress,
}

/// How far a training is. Part of its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingProgress {
    /// Updates so far.
    pub updates: u64,
    /// Loss, without regularisation, summed over the examples of this epoch so far.
    #[serde(deserialize_with = "number")]
    loss_sum: f64,
    /// Metric of the same, in training mode.
    #[serde(deserialize_with = "number")]
    metric_sum: f64,
}

/// What an epoch came to, measured on the batches as they were learned from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochStats {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Mean loss of an example, without regularisation.
    pub loss: f64,
    /// Mean metric of an example.
    pub metric: f64,
    /// The learning rate.
    pub learning_rate: f64,
}

impl Training {
    /// A training at its beginning.
    ///
    /// # Errors
    /// If the plan cannot be carried out.
    pub fn new(plan: &ToyPlan) -> Result<Self, PlanError> {
        plan.check()?;
        let parts = plan.split.parts();
        let mut params = Params::new(Device::Cpu);
        let model = Model::new(plan, &mut params, &mut stream(plan.seed, 0));
        let config = AdamConfig {
            beta1: plan.settings.adam_beta1,
            beta2: plan.settings.adam_beta2,
            epsilon: plan.settings.adam_epsilon,
            epsilon_form: EpsilonForm::BeforeCorrection,
        };
        Ok(Self {
            adam: Adam::new(config, &params),
            order: shuffled(&parts.train, plan.seed, 0),
            plan: plan.clone(),
            parts,
            params,
            model,
            progress: TrainingProgress::default(),
        })
    }

    /// One update. Returns what the epoch came to, if it was its last one.
    pub fn update(&mut self) -> Option<EpochStats> {
        let (epoch, batch_idx) = self.position();
        let settings = &self.plan.settings;
        let start = batch_idx * settings.minibatch;
        let end = (start + settings.minibatch).min(self.order.len());
        let batch = &self.order[start..end];
        let target = Target::of(self.plan.task, settings.loss, batch);
        let Learned {
            outputs,
            loss,
            grads,
        } = self
            .model
            .learn(&self.params, batch, |outputs| target.loss(outputs));
        let learning_rate = settings.learning_rate_at(epoch);
        add_l2(&self.params, &grads, settings.l2);
        self.adam.step(&self.params, &grads, learning_rate);

        self.progress.updates += 1;
        self.progress.loss_sum += loss.double_value(&[]) * count(batch);
        self.progress.metric_sum += target.metric(&outputs).sum(Kind::Double).double_value(&[]);
        (end == self.order.len()).then(|| self.end_epoch(epoch, learning_rate))
    }

    fn end_epoch(&mut self, epoch: u64, learning_rate: f64) -> EpochStats {
        let n_examples = count(&self.order);
        let stats = EpochStats {
            epoch: epoch + 1,
            loss: self.progress.loss_sum / n_examples,
            metric: self.progress.metric_sum / n_examples,
            learning_rate,
        };
        self.progress.loss_sum = 0.0;
        self.progress.metric_sum = 0.0;
        self.order = shuffled(&self.parts.train, self.plan.seed, epoch + 1);
        stats
    }

    /// The mean metric of examples, in evaluation mode.
    pub fn evaluate(&self, examples: &[Location]) -> f64 {
        self.measure(examples).1
    }

    /// The mean loss, without regularisation, and the mean metric of examples, in evaluation mode.
    pub fn measure(&self, examples: &[Location]) -> (f64, f64) {
        let (mut loss, mut metric) = (0.0, 0.0);
        for batch in examples.chunks(EVAL_BATCH) {
            let target = Target::of(self.plan.task, self.plan.settings.loss, batch);
            let outputs = self.model.predict(batch);
            loss += target.loss(&outputs).double_value(&[]) * count(batch);
            let metrics = target.metric(&outputs);
            metric += metrics.sum(Kind::Double).double_value(&[]);
        }
        (loss / count(examples), metric / count(examples))
    }

    /// The outputs for examples, in evaluation mode.
    ///
    /// # Shapes
    /// `[B, 4096]` logits, or for regression `[B, 2]` in 64ths of the canvas.
    pub fn predict(&self, examples: &[Location]) -> Tensor {
        let outputs: Vec<Tensor> = examples
            .chunks(EVAL_BATCH)
            .map(|batch| self.model.predict(batch))
            .collect();
        Tensor::cat(&outputs, 0)
    }

    /// The plan.
    pub fn plan(&self) -> &ToyPlan {
        &self.plan
    }

    /// The examples for training and test.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// How far it is.
    pub fn progress(&self) -> TrainingProgress {
        self.progress
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.position().0 >= self.plan.settings.epochs
    }

    /// Updates of all epochs together.
    pub fn total_updates(&self) -> u64 {
        self.plan.settings.epochs * self.updates_per_epoch()
    }

    /// Updates of one epoch.
    pub fn updates_per_epoch(&self) -> u64 {
        let n_batches = self.order.len().div_ceil(self.plan.settings.minibatch);
        n_batches as u64
    }

    /// How many numbers are learned.
    pub fn n_params(&self) -> usize {
        self.params.n_elements()
    }

    /// The learned numbers, named, in order.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        let params = self.params.iter();
        params
            .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
            .collect()
    }

    /// All tensors of the state: the weights, the running statistics, the optimizer's. They share memory with it.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.weights();
        state.extend(self.model.buffers());
        let adam = self.adam.state().into_iter();
        state.extend(adam.map(|(name, tensor)| (format!("adam.{name}"), tensor)));
        state
    }

    /// Goes on from a saved [`Self::state`] and [`Self::progress`].
    ///
    /// # Errors
    /// If the tensors are those of another network.
    pub fn restore(
        &mut self,
        mut tensors: Vec<(String, Tensor)>,
        progress: TrainingProgress,
    ) -> Result<(), NnError> {
        let buffers = self.model.buffers();
        let expected = self.state().len();
        if tensors.len() != expected {
            return Err(NnError::TensorCount {
                expected,
                got: tensors.len(),
            });
        }
        let mut adam = tensors.split_off(self.params.len() + buffers.len());
        let saved_buffers = tensors.split_off(self.params.len());
        for (name, _) in &mut adam {
            *name = name.strip_prefix("adam.").unwrap_or(name).to_owned();
        }
        self.params.load(&tensors)?;
        self.adam.load_state(&adam)?;
        tch::no_grad(|| {
            for ((_, mut buffer), (_, saved)) in buffers.into_iter().zip(saved_buffers) {
                buffer.copy_(&saved);
            }
        });
        self.progress = progress;
        let (epoch, _) = self.position();
        self.order = shuffled(&self.parts.train, self.plan.seed, epoch);
        Ok(())
    }

    /// The current epoch and the next batch of it, both counted from 0.
    fn position(&self) -> (u64, usize) {
        let per_epoch = self.updates_per_epoch();
        let batch_idx = self.progress.updates % per_epoch;
        let batch_idx = usize::try_from(batch_idx).expect("below the number of batches");
        (self.progress.updates / per_epoch, batch_idx)
    }
}

/// Adds the gradient of `l2 * sum of squares` over the kernels: no biases, no batch normalisation.
fn add_l2(params: &Params, grads: &[Tensor], l2: f64) {
    if l2 == 0.0 {
        return;
    }
    tch::no_grad(|| {
        for ((name, param), grad) in params.iter().zip(grads) {
            if name.ends_with(".weight") {
                let _ = grad.shallow_clone().g_add_(&(param * (2.0 * l2)));
            }
        }
    });
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn count(examples: &[Location]) -> f64 {
    examples.len() as f64
}

fn shuffled(examples: &[Location], seed: u64, epoch: u64) -> Vec<Location> {
    let mut order = examples.to_vec();
    order.shuffle(&mut stream(seed, 1 + epoch));
    order
}

/// Stream 0 draws the weights, stream 1 + k the order of epoch k.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

#[cfg(test)]
mod tests;
