//! Optimizers with savable state, and gradient clipping.
//!
//! An update of 1.7 million weights is bound by memory, not by arithmetic: on the CPU one pass reads and writes each
//! number once and allocates nothing. On other devices the same formulas run as tensor operations on all weights as one vector
//! (`joined`). The two agree to rounding.
//!
//! ```text
//! let Summed { grads, norm } = summed(shares);                       // one pass over the gradients, or the rows that make them
//! optimizer.step_scaled(&params, &grads, lr, clip_scale(norm, 0.5)); // one pass over everything
//! ```
//!
//! # Threads
//! In a rayon pool its threads share out a step's large tensors, and the products that gradients are the sums of, piece by piece. No bit depends on how many threads it
//! has, or on whether there is one. No other job of that pool may touch these tensors meanwhile.
//!
//! A step writes the parameters in place. A network that shares them on another thread must not run during it: let a
//! message part the two, as between a rollout and its update. Nor may a graph recorded before a step be walked backwards
//! after it.
//!
//! # State
//! `state()` gives handles that share memory with the optimizer, so that saving copies nothing: write them before the next
//! step. `load_state()` copies into place.

mod adam;
mod clip;
mod joined;
mod rms_prop_centered;
mod rms_prop_tf;
mod sum;

pub use adam::{Adam, AdamConfig, EpsilonForm};
pub use clip::{clip_scale, norm_of};
pub use rms_prop_centered::{RmsPropCentered, RmsPropCenteredConfig};
pub use rms_prop_tf::{RmsPropTf, RmsPropTfConfig};
pub use sum::{Summed, summed};

use std::cell::RefCell;
use std::mem;

use tch::{Kind, Tensor};

use crate::dense::{self, Factors};
use crate::gradient::Form;
use crate::pool::is_in_a_pool;
use crate::slices::with_slices;
use crate::vectors::on_widest_vectors;
use crate::{Gradient, Params};

/// A gradient that lies as its parameter does.
enum Lying<'a> {
    /// In memory.
    Whole(Tensor),
    /// As the products whose sum it is.
    Products(&'a [Factors]),
}

/// Gradients that are tensors.
fn handles(grads: &[Tensor]) -> Vec<Gradient> {
    let grads = grads.iter().map(Tensor::shallow_clone);
    grads.map(Gradient::from).collect()
}

/// Each parameter with its gradient, which is copied only if it does not lie in memory as the parameter does, or is not in f32.
///
/// # Panics
/// If the gradients are not one per parameter, of its shape: they belong to other parameters.
fn pair<'a>(
    params: &'a Params,
    grads: &'a [Gradient],
) -> impl Iterator<Item = (&'a Tensor, Lying<'a>)> + use<'a> {
    assert_eq!(grads.len(), params.len(), "one gradient per parameter");
    params.iter().zip(grads).map(|((name, param), grad)| {
        let whole = match &grad.0 {
            Form::Products(products) if param.is_contiguous() => {
                let size = products[0].size();
                assert_eq!(param.size(), size, "the shape of {name}'s gradient");
                return (param, Lying::Products(products));
            }
            _ => grad.whole(),
        };
        (param, Lying::Whole(as_it_lies(name, param, whole)))
    })
}

/// The gradients as tensors that lie as their parameters do.
///
/// # Panics
/// As [`pair`].
fn tensors(params: &Params, grads: &[Gradient]) -> Vec<Tensor> {
    assert_eq!(grads.len(), params.len(), "one gradient per parameter");
    let pairs = params.iter().zip(grads);
    pairs
        .map(|((name, param), grad)| as_it_lies(name, param, grad.whole()))
        .collect()
}

/// The gradient of a parameter, copied unless it lies as that does.
fn as_it_lies(name: &str, param: &Tensor, grad: Tensor) -> Tensor {
    assert!(grad.defined(), "the loss does not depend on {name}");
    assert_eq!(grad.size(), param.size(), "the shape of {name}'s gradient");
    if grad.stride() == param.stride() && grad.kind() == Kind::Float {
        return grad;
    }
    let mut reordered = param.detach().empty_like();
    reordered.copy_(&grad);
    reordered
}

/// `moment`, or 0 where it is smaller than the normal numbers of its type (1.2e-38).
///
/// The moments of a weight without gradients decay by a factor at every update, until rounding holds them among those numbers for
/// ever. That changes no weight, but processors take a hundred times as long with them: on an Intel Xeon (Sapphire Rapids), the update
/// of an MLP of 67,000 weights for `CartPole` came to take 0.73 ms instead of 0.09 ms.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn without_subnormals(moment: f32) -> f32 {
    if moment.abs() < f32::MIN_POSITIVE {
        0.0
    } else {
        moment
    }
}

/// Numbers in a line of a cache.
const LINE: usize = 16;
/// Numbers of each tensor in a piece of a pass: with two moments and a gradient 1 MB, about the cache of one core.
const PIECE: usize = 1 << 16;

thread_local! {
    /// A piece of a gradient, for as long as it takes to use it. Nothing that uses it may wait within a pool.
    static MADE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Runs `pass` on the memory of a parameter, its moments and its gradient, in pieces, on the threads of the rayon pool it is called in. A sum of products is made piece by
/// piece and never whole.
///
/// # Panics
/// If they are not on the CPU.
fn in_one_pass<const N: usize>(
    written: [&Tensor; N],
    grad: &Lying<'_>,
    pass: impl Fn([&mut [f32]; N], &[f32]) + Sync,
) {
    match grad {
        Lying::Products(products) => {
            let _ = dense::with_sum_of_products(products, written, |written, make| {
                MADE.with_borrow_mut(|grad| {
                    grad.resize(written[0].len(), 0.0);
                    make(grad);
                    on_widest_vectors(|| pass(written, grad));
                });
            });
        }
        Lying::Whole(grad) => {
            let ran = with_slices(written, grad, |written, grad| {
                in_pieces(written, grad, &pass);
            });
            assert!(ran, "f32 on the CPU without holes");
        }
    }
}

/// Halves, until they are small enough.
pub(crate) fn in_pieces<const N: usize>(
    written: [&mut [f32]; N],
    grad: &[f32],
    pass: &(impl Fn([&mut [f32]; N], &[f32]) + Sync),
) {
    if grad.len() <= PIECE {
        on_widest_vectors(|| pass(written, grad));
        return;
    }
    let middle = (grad.len() / 2).next_multiple_of(LINE);
    let mut halves = written.map(|slice| slice.split_at_mut(middle));
    let first = halves.each_mut().map(|(first, _)| mem::take(first));
    let second = halves.map(|(_, second)| second);
    let (first_grad, second_grad) = grad.split_at(middle);
    let first = || in_pieces(first, first_grad, pass);
    let second = || in_pieces(second, second_grad, pass);
    if is_in_a_pool() {
        rayon::join(first, second);
    } else {
        first();
        second();
    }
}

/// A coefficient as the element type.
#[expect(
    clippy::cast_possible_truncation,
    reason = "coefficients are computed in f64 and rounded once to the precision of the weights"
)]
fn f32_of(x: f64) -> f32 {
    x as f32
}
