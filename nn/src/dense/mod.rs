//! A fully connected layer and its `ReLU`, in f32 on a CPU with AVX-512: forward, and backward without libtorch's graph.
//!
//! The Nature torso's has 1.6 million weights and a few rows to multiply with them. MKL takes for that what it takes for large
//! matrices, and packs the weights anew at every call; here they are read once, where they lie (`docs/performance.md`). Values and
//! gradients are those of libtorch to rounding.
//!
//! The gradient of the weights is left as the [`Factors`] of a product: a few rows instead of 6.4 MB, until the rows of a whole batch
//! are together and several threads share the product out, in the optimizer's step or, of many rows, before it ([`crate::optim::summed`]).

mod kernel;
#[cfg(test)]
mod tests;

use std::array;
use std::ops::Range;

use tch::{Device, Kind, Tensor};

use self::kernel::{
    TILE_INPUTS, TILE_OUTPUTS, forward_relu, input_gradient, products_with, weight_gradient,
};
use crate::lanes::on_avx512;
use crate::pool::{is_in_a_pool, share_out};
use crate::slices::{with_memories, with_memory};
use crate::vectors::{has_avx512, on_widest_vectors};

/// Outputs whose weights are a piece of work: 400 KB of the Nature torso's.
const PIECE_OUTPUTS: usize = 8 * TILE_OUTPUTS;

/// Inputs whose weights, of all outputs, are a piece of work: 525 KB of the Nature torso's.
const PIECE_INPUTS: usize = 4 * TILE_INPUTS;

/// A pass through the layer, and what its gradient needs.
#[derive(Debug)]
pub(crate) struct Pass {
    weight: Tensor, // [out, in]
    bias: Tensor,   // [out]
    x: Tensor,      // [R, in]
    y: Tensor,      // [R, out]
}

/// The gradients of a pass.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub(crate) weight: Factors,
    pub(crate) bias: Tensor, // [out]
    pub(crate) x: Tensor,    // [R, in]
}

/// The gradient of a layer's weights as the product that it is, `dy^T x`.
#[derive(Debug)]
pub(crate) struct Factors {
    dy: Tensor, // [R, out]
    x: Tensor,  // [R, in]
}

/// Whether there is a kernel for such a layer and this computer.
pub(crate) fn fits(weight: &Tensor) -> bool {
    let is_multiple = |size: i64, of: usize| usize::try_from(size).is_ok_and(|n| n % of == 0);
    let size = weight.size();
    weight.device() == Device::Cpu
        && weight.is_contiguous()
        && weight.kind() == Kind::Float
        && is_multiple(size[0], TILE_OUTPUTS)
        && is_multiple(size[1], TILE_INPUTS)
        && has_avx512()
}

impl Pass {
    /// `y = relu(x weight^T + bias)` for at least one row.
    ///
    /// # Shapes
    /// `weight [out, in]`, `bias [out]`, `x [R, in]`
    ///
    /// # Panics
    /// Unless the weight [`fits`], or if `x` has other rows.
    pub(crate) fn new(weight: &Tensor, bias: &Tensor, x: &Tensor) -> Self {
        assert!(fits(weight), "a layer without a kernel");
        assert_eq!(
            x.size(),
            [x.size()[0], weight.size()[1]],
            "rows of another length"
        );
        let x = x.contiguous();
        let y = Tensor::empty([x.size()[0], bias.size()[0]], (Kind::Float, Device::Cpu));
        with_memory([&y], [&x, weight, bias], |[y], [x, weight, bias]| {
            let n_in = weight.len() / bias.len();
            in_columns(y, x.len() / n_in, PIECE_OUTPUTS, |outputs, y| {
                let weight = &weight[outputs.start * n_in..outputs.end * n_in];
                on_avx512!(forward_relu(x, weight, &bias[outputs], y, &mut Vec::new()));
            });
        });

        Self {
            weight: weight.shallow_clone(),
            bias: bias.shallow_clone(),
            x,
            y,
        }
    }

    /// Weight and bias.
    pub(crate) fn params(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// What went in, `[R, in]`.
    pub(crate) fn x(&self) -> &Tensor {
        &self.x
    }

    /// What came out, `[R, out]`.
    pub(crate) fn y(&self) -> &Tensor {
        &self.y
    }

    /// From the gradient of what came out.
    ///
    /// # Shapes
    /// `dy [R, out]`
    pub(crate) fn gradients(&self, dy: &Tensor) -> Gradients {
        assert_eq!(dy.size(), self.y.size(), "the gradient of something else");
        // As libtorch's: where `y` is not a number, the gradient passes.
        let dy = Tensor::from(0.0_f32).where_self(&self.y.detach().le(0.0), dy); // [R, out]
        let dy = dy.contiguous();
        let dx = Tensor::empty(self.x.size(), (Kind::Float, Device::Cpu));
        let n_out = self.bias.numel();
        with_memory([&dx], [&dy, &self.weight], |[dx], [dy, weight]| {
            in_columns(dx, dy.len() / n_out, PIECE_INPUTS, |inputs, dx| {
                on_avx512!(input_gradient(dy, weight, n_out, inputs.start, dx));
            });
        });

        Gradients {
            bias: dy.sum_dim_intlist([0].as_slice(), false, Kind::Float),
            weight: Factors {
                dy,
                x: self.x.detach(), // without the graph that it came from
            },
            x: dx,
        }
    }
}

impl Factors {
    /// The shape of the weights, `[out, in]`.
    pub(crate) fn size(&self) -> [i64; 2] {
        [&self.dy, &self.x].map(|rows| rows.size()[1])
    }

    /// Rows that are multiplied.
    pub(crate) fn n_rows(&self) -> i64 {
        self.x.size()[0]
    }

    /// So many times the product.
    #[cfg(test)]
    pub(crate) fn times(&self, times: f64) -> Self {
        Self {
            dy: &self.dy * times,
            x: self.x.shallow_clone(),
        }
    }

    /// Room for the product.
    pub(crate) fn empty(&self) -> Tensor {
        Tensor::empty(self.size(), (Kind::Float, Device::Cpu))
    }
}

/// Makes the sum of products, in their order, piece by piece, on the threads of the rayon pool it is called in. `pass` gets what lies in the place of a piece in each tensor that
/// is written, and what fills as many numbers with the piece. Gives what it returned, in the order of the pieces. No bit depends on the threads.
///
/// # Shapes
/// `written [out, in]`, contiguous, at least one
///
/// # Panics
/// If there are no products, or a tensor is of another shape.
pub(crate) fn with_sum_of_products<const N: usize, T: Send>(
    products: &[Factors],
    written: [&Tensor; N],
    pass: impl Fn([&mut [f32]; N], &dyn Fn(&mut [f32])) -> T + Send + Sync,
) -> Vec<T> {
    let [n_out, n_in] = size_of(products);
    for written in written {
        assert!(
            written.size() == products[0].size() && written.is_contiguous(),
            "weights of another shape"
        );
    }
    let read: Vec<&Tensor> = products.iter().flat_map(|of| [&of.dy, &of.x]).collect();
    let mut passed = Vec::new();
    with_memories(&written, &read, |written, read| {
        let pairs = read.as_chunks().0;
        let mut written = written.into_iter();
        let mut pieces: [_; N] = array::from_fn(|_| {
            let written: &mut [f32] = written.next().expect("as many as were given");
            written.chunks_mut(PIECE_OUTPUTS * n_in)
        });
        let firsts = (0..n_out).step_by(PIECE_OUTPUTS);
        let pieces = firsts.map(|first_out| {
            let piece = pieces.each_mut().map(Iterator::next);
            (first_out, piece.map(|piece| piece.expect("one for each")))
        });
        passed = share_out(
            pieces.collect(),
            |(first_out, written): (usize, [&mut [f32]; N])| {
                pass(written, &|sum| {
                    on_avx512!(weight_gradient(pairs, n_out, first_out, n_in, sum));
                })
            },
        );
    });
    passed
}

/// The sum of the squares of a sum of products, from the products of their rows with each other: `|dy^T x|^2` is the sum of `(dy_i dy_j)(x_i x_j)` over all pairs
/// of rows. On the threads of the rayon pool it is called in; no bit depends on them. Not finite if anything in the rows is not, or infinite where an element might be beyond
/// the numbers of f32.
///
/// # Panics
/// If there are no products, or they are of several shapes.
pub(crate) fn square_sum(products: &[Factors]) -> f64 {
    let [n_out, n_in] = size_of(products);
    let read: Vec<&Tensor> = products.iter().flat_map(|of| [&of.dy, &of.x]).collect();
    let mut sum = 0.0;
    with_memories(&[], &read, |_: Vec<&mut [f32]>, read| {
        let pairs = read.as_chunks::<2>().0;
        let rows = |which: usize, width| {
            let matrices = pairs.iter().map(move |pair| pair[which]);
            matrices.flat_map(move |matrix| matrix.chunks_exact(width))
        };
        let dys: Vec<&[f32]> = rows(0, n_out).collect();
        let xs: Vec<&[f32]> = rows(1, n_in).collect();
        let of_rows = share_out((0..xs.len()).collect(), |row: usize| {
            let mut of_xs = Vec::new();
            on_avx512!(products_with(xs[row], &xs[..=row], &mut of_xs));
            let pairs = of_xs.iter().zip(&dys[..=row]);
            // The pairs with earlier rows count twice. The last one is its own.
            let (mut with_others, mut own) = (0.0, 0.0);
            for (of_xs, dy) in pairs {
                with_others += 2.0 * own;
                own = f64::from(*of_xs) * dot(dys[row], dy);
            }
            (with_others + own, own.sqrt())
        });
        let (sums, norms): (Vec<f64>, Vec<f64>) = of_rows.into_iter().unzip();
        // No element of the sum, nor of a part of it, is larger than this.
        let bound: f64 = norms.iter().sum();
        sum = if bound > f64::from(f32::MAX) {
            f64::INFINITY
        } else {
            sums.iter().sum()
        };
    });
    // Where all but nothing cancels out, rounding may leave less than nothing.
    if sum < 0.0 { 0.0 } else { sum }
}

/// `[out, in]` of all products.
///
/// # Panics
/// If there are none, or of several shapes.
fn size_of(products: &[Factors]) -> [usize; 2] {
    let size = products[0].size();
    let is_alike = |product: &Factors| product.size() == size;
    assert!(products.iter().all(is_alike), "products of other shapes");
    size.map(|n| usize::try_from(n).expect("a size"))
}

/// The sum of products of neighbours, in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const N: usize = 16;
    let mut sums = [0.0_f64; N];
    on_widest_vectors(|| {
        let (a, rest_of_a) = a.as_chunks::<N>();
        let (b, rest_of_b) = b.as_chunks::<N>();
        for (a, b) in a.iter().zip(b) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
        for (sum, (a, b)) in sums.iter_mut().zip(rest_of_a.iter().zip(rest_of_b)) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    });
    sums.iter().sum()
}

/// Fills a matrix of so many rows. `fill` writes the columns of a range, from the first to the last, to a matrix of their own; in a rayon
/// pool the threads take `piece` columns at a time.
fn in_columns(
    matrix: &mut [f32],
    n_rows: usize,
    piece: usize,
    fill: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let n_columns = matrix.len() / n_rows;
    if !is_in_a_pool() {
        fill(0..n_columns, matrix);
        return;
    }
    let ranges = (0..n_columns).step_by(piece);
    let ranges = ranges.map(|first| first..n_columns.min(first + piece));
    let filled = share_out(ranges.collect(), |columns: Range<usize>| {
        let mut part = vec![0.0; n_rows * columns.len()];
        fill(columns.clone(), &mut part);
        (columns, part)
    });
    for (columns, part) in filled {
        let rows = matrix.chunks_exact_mut(n_columns);
        for (row, part) in rows.zip(part.chunks_exact(columns.len())) {
            row[columns.clone()].copy_from_slice(part);
        }
    }
}
