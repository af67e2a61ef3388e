//! The sum of shares' gradients and its norm.

use tch::Tensor;

use super::clip::{norm_from, square_sum, square_sum_of};
use crate::Gradient;
use crate::dense::{Factors, sum_products};
use crate::gradient::Form;

/// What the shares of a batch add up to.
#[derive(Debug)]
pub struct Summed {
    /// One for each parameter, in f32.
    pub grads: Vec<Tensor>,
    /// Their norm as one vector: NaN or infinite if any element is.
    pub norm: f64,
}

/// The sum of the gradients of all shares, in their order. What is given as a product is multiplied here, once for all of them, and measured while it is
/// in the caches, on the threads of the rayon pool it is called in. No bit depends on how many there are.
///
/// # Panics
/// If there are no shares, or they are not of the same parameters.
pub fn summed(shares: Vec<Vec<Gradient>>) -> Summed {
    let n_params = shares
        .first()
        .expect("a batch has at least one share")
        .len();
    let is_alike = |share: &Vec<Gradient>| share.len() == n_params;
    assert!(shares.iter().all(is_alike), "shares of other parameters");
    let mut shares: Vec<_> = shares.into_iter().map(Vec::into_iter).collect();
    let sums = (0..n_params).map(|_| {
        let parts = shares.iter_mut().filter_map(Iterator::next);
        sum(&parts.collect::<Vec<_>>())
    });
    let (grads, squares): (Vec<Tensor>, Vec<Option<f64>>) = sums.unzip();
    let norm = norm_from(squares, &grads);
    Summed { grads, norm }
}

/// The sum of what shares add to one gradient, and that of its squares where it lies on the CPU.
fn sum(parts: &[Gradient]) -> (Tensor, Option<f64>) {
    let products: Option<Vec<&Factors>> = parts
        .iter()
        .map(|part| match &part.0 {
            Form::Product(factors) => Some(factors),
            Form::Whole(_) => None,
        })
        .collect();
    if let Some(products) = products {
        let sum = products[0].empty();
        let squares = sum_products(&products, &sum, square_sum_of);
        return (sum, Some(squares.iter().sum()));
    }
    let mut sum = parts[0].whole();
    for part in &parts[1..] {
        let _ = sum.g_add_(&part.whole());
    }
    let squares = square_sum(&sum);
    (sum, squares)
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;
    use tch::{Device, Kind};

    use super::*;
    use crate::optim::{Adam, AdamConfig, EpsilonForm};
    use crate::{Linear, Params, Tape, init::Init, unmultiplied_gradients};

    /// A layer that is large enough for several pieces, with a kernel where the processor has one.
    const SIZES: (i64, i64) = (3136, 68);

    fn wave(shape: &[i64], step: f64) -> Tensor {
        let n: i64 = shape.iter().product();
        let wave = (Tensor::arange(n, (Kind::Float, Device::Cpu)) * step).sin();
        wave.view(shape)
    }

    fn layer() -> (Params, Linear) {
        use rand::SeedableRng as _;
        let mut params = Params::new(Device::Cpu);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let layer = Linear::hidden(&mut params, "fc", SIZES, Init::Torch, 1.0, &mut rng);
        (params, layer)
    }

    /// The gradients of shares of five rows: of each its first row and how many.
    fn shares(params: &Params, layer: &Linear, rows: &[(i64, i64)]) -> Vec<Vec<Gradient>> {
        let x = wave(&[5, SIZES.0], 0.37);
        let share = |&(first, n): &(i64, i64)| {
            let mut tape = Tape::default();
            let y = layer.relu(&x.narrow(0, first, n), Some(&mut tape));
            let loss = (y * wave(&[5, SIZES.1], 0.71).narrow(0, first, n)).sum(Kind::Float);
            unmultiplied_gradients(&loss, &params.leaves(), tape)
        };
        rows.iter().map(share).collect()
    }

    #[test]
    fn shares_add_up_to_the_gradient_of_the_batch_and_its_norm() {
        let (params, layer) = layer();
        let got = summed(shares(&params, &layer, &[(0, 2), (2, 3)]));
        let whole = &shares(&params, &layer, &[(0, 5)])[0];
        let mut square = 0.0;
        for (got, whole) in got.grads.iter().zip(whole) {
            let whole = whole.whole();
            assert!(got.allclose(&whole, 1e-4, 1e-5, false));
            square += whole
                .to_kind(Kind::Double)
                .square()
                .sum(Kind::Double)
                .double_value(&[]);
        }
        assert!(
            (got.norm / square.sqrt() - 1.0).abs() < 1e-6,
            "{}",
            got.norm
        );
        let single = summed(shares(&params, &layer, &[(0, 5)]));
        assert!((single.norm / square.sqrt() - 1.0).abs() < 1e-6);
    }

    /// The sums and the weights after a step, in a pool of so many threads.
    fn update_in(n_threads: usize) -> (Vec<Tensor>, f64, Vec<Tensor>) {
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
        pool.unwrap().install(|| {
            let (params, layer) = layer();
            let constants = AdamConfig {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                epsilon_form: EpsilonForm::AfterCorrection,
            };
            let mut optimizer = Adam::new(constants, &params);
            let Summed { grads, norm } = summed(shares(&params, &layer, &[(0, 2), (2, 3)]));
            optimizer.step_scaled(&params, &grads, 1e-3, 0.5);
            let weights = params.tensors().iter().map(Tensor::detach).collect();
            (grads, norm, weights)
        })
    }

    #[test]
    fn no_bit_depends_on_the_threads() {
        let alone = update_in(1);
        for n_threads in [2, 5] {
            assert_eq!(update_in(n_threads), alone);
        }
    }

    #[test]
    fn a_sum_of_products_is_that_of_the_gradients_bit_for_bit_whoever_is_multiplied_already() {
        let (params, layer) = layer();
        let rows = [(0, 1), (1, 2), (3, 2)];
        let whole = |share: &Vec<Gradient>| share.iter().map(|grad| grad.whole().into()).collect();
        let multiplied: Vec<Vec<Gradient>> =
            shares(&params, &layer, &rows).iter().map(whole).collect();
        let expected = summed(multiplied);
        assert_eq!(summed(shares(&params, &layer, &rows)).grads, expected.grads);
        let mut mixed = shares(&params, &layer, &rows);
        mixed[1] = whole(&mixed[1]);
        assert_eq!(summed(mixed).grads, expected.grads);

        let [mut first, second, third]: [Vec<Gradient>; 3] =
            shares(&params, &layer, &rows).try_into().unwrap();
        let mut weight = first.swap_remove(0);
        weight.add(Gradient::from(Tensor::new()));
        for share in [second, third] {
            weight.add(share.into_iter().next().unwrap());
        }
        assert_eq!(weight.whole(), expected.grads[0]);
    }

    #[test]
    fn a_number_that_is_not_finite_shows_in_the_norm() {
        let (params, layer) = layer();
        let x = wave(&[5, SIZES.0], 0.37) * f64::INFINITY;
        let mut tape = Tape::default();
        let loss = layer.relu(&x, Some(&mut tape)).sum(Kind::Float);
        let share = unmultiplied_gradients(&loss, &params.leaves(), tape);
        assert!(!summed(vec![share]).norm.is_finite());

        let mut shares = shares(&params, &layer, &[(0, 2), (2, 3)]);
        shares[1][1] = Gradient::from(wave(&[SIZES.1], 0.3) * f64::NAN);
        assert!(summed(shares).norm.is_nan());
    }
}
