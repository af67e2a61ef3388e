//! A fully connected layer, `y = W x + b`.

use rand::Rng;
use tch::{Kind, Tensor};

use crate::init::Init;
use crate::tape::graph_is_drawn;
use crate::{Flops, Params, Tape, dense};

/// A fully connected layer.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor, // [out, in]
    bias: Tensor,   // [out]
}

impl Linear {
    /// A last layer `name.weight` and `name.bias`, drawn by `init` with `gain`. `sizes` is (in, out). It computes in f32.
    pub fn new(
        params: &mut Params,
        name: &str,
        sizes: (i64, i64),
        init: Init,
        gain: f64,
        rng: &mut impl Rng,
    ) -> Self {
        let (n_in, n_out) = sizes;
        let (weight, bias) = init.draw(&[n_out, n_in], gain, rng);
        Self {
            weight: params.add(format!("{name}.weight"), &weight),
            bias: params.add(format!("{name}.bias"), &bias),
        }
    }

    /// A hidden layer, likewise, which computes as exactly as `params` say.
    pub fn hidden(
        params: &mut Params,
        name: &str,
        sizes: (i64, i64),
        init: Init,
        gain: f64,
        rng: &mut impl Rng,
    ) -> Self {
        let (n_in, n_out) = sizes;
        let (weight, bias) = init.draw(&[n_out, n_in], gain, rng);
        Self {
            weight: params.add_hidden(format!("{name}.weight"), &weight),
            bias: params.add_hidden(format!("{name}.bias"), &bias),
        }
    }

    /// A second handle of the same layer, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
        }
    }

    /// Its operations.
    pub(crate) fn flops(&self) -> Flops {
        let size = self.weight.size();
        Flops::layer(1, size[1], size[0])
    }

    /// # Shapes
    /// `[B, in] -> [B, out]`
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }

    /// The same for the last layer of a network. What the gradient needs is on the tape if `x` came from it, else in libtorch's graph.
    ///
    /// # Shapes
    /// `[B, in] -> [B, out]`
    pub(crate) fn record_last(&self, x: &Tensor, tape: &mut Tape) -> Tensor {
        if !tape.knows_hidden(x) {
            return self.forward(x);
        }
        tape.record_last(tch::no_grad(|| Pass {
            y: self.forward(x),
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            x: x.detach(),
        }))
    }

    /// The layer and a `ReLU`. Without a tape its gradient is in libtorch's graph, unless that is switched off; with one, what the
    /// graph does not know is there.
    ///
    /// # Shapes
    /// `[B, in] -> [B, out]`
    pub fn relu(&self, x: &Tensor, tape: Option<&mut Tape>) -> Tensor {
        let pass = || dense::Pass::new(&self.weight, &self.bias, x);
        match tape {
            _ if x.numel() == 0 || !dense::fits(&self.weight) => self.forward(x).relu_(),
            Some(tape) => tape.record_hidden(pass()),
            None if graph_is_drawn(&self.bias) => self.forward(x).relu_(),
            None => pass().y().shallow_clone(),
        }
    }
}

/// A pass through a last layer, and what its gradient needs.
#[derive(Debug)]
pub(crate) struct Pass {
    weight: Tensor, // [out, in]
    bias: Tensor,   // [out]
    x: Tensor,      // [B, in]
    y: Tensor,      // [B, out]
}

/// The gradients of a pass.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub(crate) weight: Tensor, // [out, in]
    pub(crate) bias: Tensor,   // [out]
    pub(crate) x: Tensor,      // [B, in]
}

impl Pass {
    /// Weight and bias.
    pub(crate) fn params(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// What went in, `[B, in]`.
    pub(crate) fn x(&self) -> &Tensor {
        &self.x
    }

    /// What came out, `[B, out]`.
    pub(crate) fn y(&self) -> &Tensor {
        &self.y
    }

    /// From the gradient of what came out.
    ///
    /// # Shapes
    /// `dy [B, out]`
    pub(crate) fn gradients(&self, dy: &Tensor) -> Gradients {
        tch::no_grad(|| Gradients {
            weight: dy.tr().matmul(&self.x),
            bias: dy.sum_dim_intlist([0].as_slice(), false, Kind::Float),
            x: dy.matmul(&self.weight),
        })
    }
}
