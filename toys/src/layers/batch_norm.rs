//! Batch normalisation over the channels of an image (Ioffe and Szegedy 2015), with the constants of the released code:
//! the running statistics keep 0.9 of themselves at an update (`TensorFlow`'s momentum 0.9 is `PyTorch`'s 0.1).
//!
//! The running variance is the unbiased one, as in `PyTorch` and in `TensorFlow`'s fused kernel.

use rlrun_nn::Params;
use tch::{Kind, Tensor};

/// What a network with batch normalisation is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To learn: normalise by the statistics of the batch, and update the running ones.
    Train,
    /// To predict: normalise by the running statistics, and change nothing.
    Eval,
}

/// How much of the batch goes into the running statistics.
const MOMENTUM: f64 = 0.1;
/// What is added to the variance.
const EPSILON: f64 = 1e-5;

/// Batch normalisation with a learned scale and shift.
#[derive(Debug)]
pub struct BatchNorm2d {
    name: String,
    gamma: Tensor,        // [C]
    beta: Tensor,         // [C]
    running_mean: Tensor, // [C]
    running_var: Tensor,  // [C]
}

impl BatchNorm2d {
    /// A layer `name.gamma`, 1, and `name.beta`, 0; running mean 0, running variance 1.
    pub fn new(params: &mut Params, name: &str, n_channels: i64) -> Self {
        let options = (Kind::Float, params.device());
        let ones = || Tensor::ones([n_channels], options);
        let zeros = || Tensor::zeros([n_channels], options);
        Self {
            name: name.to_owned(),
            gamma: params.add(format!("{name}.gamma"), ones()),
            beta: params.add(format!("{name}.beta"), zeros()),
            running_mean: zeros(),
            running_var: ones(),
        }
    }

    /// # Shapes
    /// `[B, C, H, W] -> [B, C, H, W]`
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        x.batch_norm(
            Some(&self.gamma),
            Some(&self.beta),
            Some(&self.running_mean),
            Some(&self.running_var),
            mode == Mode::Train,
            MOMENTUM,
            EPSILON,
            false,
        )
    }

    /// `name.running_mean` and `name.running_var`: what a checkpoint needs beside the parameters. The tensors share their
    /// memory with the layer, so that copying into them restores it.
    pub fn buffers(&self) -> Vec<(String, Tensor)> {
        vec![
            (
                format!("{}.running_mean", self.name),
                self.running_mean.shallow_clone(),
            ),
            (
                format!("{}.running_var", self.name),
                self.running_var.shallow_clone(),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn layer() -> BatchNorm2d {
        BatchNorm2d::new(&mut Params::new(Device::Cpu), "bn1", 2)
    }

    /// Channel 0 is 0 ... 3, channel 1 is 10 ... 13.
    fn batch() -> Tensor {
        Tensor::from_slice(&[0.0_f32, 1., 10., 11., 2., 3., 12., 13.]).view([2, 2, 1, 2])
    }

    fn assert_near(got: &Tensor, expected: &[f32]) {
        assert!(
            got.flatten(0, -1)
                .allclose(&Tensor::from_slice(expected), 1e-4, 1e-4, false),
            "{got}"
        );
    }

    #[test]
    fn training_normalises_the_batch_and_moves_the_running_statistics_a_tenth() {
        let layer = layer();
        let y = layer.forward(&batch(), Mode::Train);
        let (a, b) = (1.5 / 1.25_f32.sqrt(), 0.5 / 1.25_f32.sqrt());
        assert_near(&y, &[-a, -b, -a, -b, b, a, b, a]);
        assert_near(&layer.running_mean, &[0.15, 1.15]);
        let var = 0.9 + 0.1 * 5.0 / 3.0;
        assert_near(&layer.running_var, &[var, var]);
    }

    #[test]
    fn evaluation_uses_the_running_statistics_and_keeps_them() {
        let layer = layer();
        assert_near(
            &layer.forward(&batch(), Mode::Eval),
            &Vec::<f32>::try_from(batch().flatten(0, -1)).unwrap(),
        );
        assert_near(&layer.running_mean, &[0.0, 0.0]);
    }

    #[test]
    fn copying_into_the_buffers_restores_the_layer() {
        let (trained, restored) = (layer(), layer());
        let _ = trained.forward(&batch(), Mode::Train);
        for ((name, mut to), (saved_name, from)) in
            restored.buffers().into_iter().zip(trained.buffers())
        {
            assert_eq!(name, saved_name);
            to.copy_(&from);
        }
        let expected = trained.forward(&batch(), Mode::Eval);
        assert_eq!(restored.forward(&batch(), Mode::Eval), expected);
        assert_eq!(restored.buffers()[1].0, "bn1.running_var");
    }
}
