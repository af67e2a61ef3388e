//! The torso for observations that are a few numbers: a perceptron with two hidden layers.
//!
//! ```text
//! obs f32 [B, n]
//!   fc1    width, tanh or ReLU
//!   fc2    width, tanh or ReLU
//! features [B, width]
//! ```
//!
//! Source: the `MlpPolicy` of Stable-Baselines3 (`common/policies.py`, `common/torch_layers.py`): 64 and 64, tanh for A2C,
//! `ReLU` for DQN; orthogonal weights with gain sqrt 2 for A2C, whatever the activation. Observations are taken as they are.

use rand::Rng;
use tch::Tensor;

use crate::init::{Init, RELU_GAIN};
use crate::{Flops, Linear, NnError, Params};

/// What follows each hidden layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The hyperbolic tangent.
    Tanh,
    /// max(x, 0).
    Relu,
}

/// What an [`MlpTorso`] is built of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MlpSpec {
    /// Units of each of the two hidden layers.
    pub width: i64,
    /// What follows each of them.
    pub activation: Activation,
}

/// The torso.
#[derive(Debug)]
pub struct MlpTorso {
    layers: [Linear; 2],
    spec: MlpSpec,
}

impl MlpTorso {
    /// Parameters `NAME.fc1.weight`, `NAME.fc1.bias`, `NAME.fc2.weight`, `NAME.fc2.bias`, with gain sqrt 2 where
    /// `init` knows gains. `n_inputs` is the number of features of an observation.
    ///
    /// # Errors
    /// If an observation has no feature or a layer no unit.
    pub fn new(
        params: &mut Params,
        name: &str,
        spec: MlpSpec,
        n_inputs: i64,
        init: Init,
        rng: &mut impl Rng,
    ) -> Result<Self, NnError> {
        let counts = [
            ("the number of an observation's features", n_inputs),
            ("the width of a hidden layer", spec.width),
        ];
        for (what, got) in counts {
            if got < 1 {
                return Err(NnError::NotPositive { what, got });
            }
        }
        let mut layer = |number: u8, n_in| {
            let name = format!("{name}.fc{number}");
            Linear::new(params, &name, (n_in, spec.width), init, RELU_GAIN, rng)
        };
        let layers = [layer(1, n_inputs), layer(2, spec.width)];
        Ok(Self { layers, spec })
    }

    /// A second handle of the same torso, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            layers: [self.layers[0].share(), self.layers[1].share()],
            spec: self.spec,
        }
    }

    /// # Shapes
    /// `f32 [B, n] -> f32 [B, width]`
    pub fn forward(&self, obs: &Tensor) -> Tensor {
        let [fc1, fc2] = &self.layers;
        let hidden = self.spec.activation.of(fc1.forward(obs)); // [B, width]
        self.spec.activation.of(fc2.forward(&hidden)) // [B, width]
    }

    /// Its operations.
    pub(crate) fn flops(&self) -> Flops {
        let [fc1, fc2] = &self.layers;
        fc1.flops().without_input_gradient() + fc2.flops()
    }

    /// How many features come out.
    pub fn out_features(&self) -> i64 {
        self.spec.width
    }
}

impl Activation {
    /// In place.
    fn of(self, mut x: Tensor) -> Tensor {
        match self {
            Self::Tanh => x.tanh_(),
            Self::Relu => x.relu_(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::{Device, Kind};

    use super::*;

    fn build(spec: MlpSpec, n_inputs: i64) -> Result<(Params, MlpTorso), NnError> {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let torso = MlpTorso::new(
            &mut params,
            "torso",
            spec,
            n_inputs,
            Init::Orthogonal,
            &mut rng,
        )?;
        Ok((params, torso))
    }

    /// Naive twin: sums and activations, number by number.
    #[test]
    fn it_is_two_layers_each_with_its_activation() {
        let obs = [0.5, -1.5, 2.0, 0.25, 0.0, -3.0];
        let tensor = Tensor::from_slice(&obs).view([2, 3]).to_kind(Kind::Float);
        for activation in [Activation::Tanh, Activation::Relu] {
            let width = 5;
            let (params, torso) = build(MlpSpec { width, activation }, 3).unwrap();
            let got = torso.forward(&tensor);
            assert_eq!(got.size(), [2, torso.out_features()]);
            let tensors = params.tensors();
            let apply = |layer: usize, x: &[f64]| -> Vec<f64> {
                let weight = &tensors[2 * layer];
                let row = |row: i64| {
                    let terms = (0..)
                        .zip(x)
                        .map(|(i, x)| weight.double_value(&[row, i]) * x);
                    terms.sum::<f64>() + tensors[2 * layer + 1].double_value(&[row])
                };
                let activate = |x: f64| match activation {
                    Activation::Tanh => x.tanh(),
                    Activation::Relu => x.max(0.0),
                };
                (0..width).map(row).map(activate).collect()
            };
            for (b, obs) in (0..).zip(obs.chunks(3)) {
                for (i, expected) in (0..).zip(apply(1, &apply(0, obs))) {
                    assert!((got.double_value(&[b, i]) - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn gradients_reach_every_parameter() {
        let spec = MlpSpec {
            width: 8,
            activation: Activation::Tanh,
        };
        let (params, torso) = build(spec, 4).unwrap();
        let loss = torso.forward(&Tensor::ones([2, 4], (Kind::Float, Device::Cpu)));
        let loss = loss.square().sum(Kind::Float);
        for grad in Tensor::run_backward(&[loss], &params.tensors(), false, false) {
            assert!(grad.abs().max().double_value(&[]) > 0.0);
        }
    }

    #[test]
    fn nothing_to_see_and_no_units_are_refused() {
        let refuse = |width, n_inputs| {
            let activation = Activation::Relu;
            let built = build(MlpSpec { width, activation }, n_inputs);
            built.map(drop).unwrap_err().to_string()
        };
        let features = "the number of an observation's features must be at least 1, got 0";
        assert_eq!(refuse(8, 0), features);
        assert!(refuse(0, 4).contains("the width of a hidden layer"));
    }
}
