//! The sum of shares' gradients and its norm.

use tch::Tensor;

use super::clip::{norm_of, square_sum, square_sum_of_piece};
use crate::Gradient;
use crate::dense::{self, Factors};
use crate::gradient::Form;

/// So many rows are few. With more, the products of each with each, for the norm, are more work than writing the gradient down.
const FEW_ROWS: i64 = 64;

/// What the shares of a batch add up to.
#[derive(Debug)]
pub struct Summed {
    /// One for each parameter.
    pub grads: Vec<Gradient>,
    /// Their norm as one vector: NaN or infinite if any element is.
    pub norm: f64,
}

/// The sum of the gradients of all shares, in their order. What is given as products of a few rows stays so, and its norm comes from these, on the threads of the rayon pool it is
/// called in. No bit depends on how many there are.
///
/// # Panics
/// If there are no shares, or they are not of the same parameters.
pub fn summed(shares: Vec<Vec<Gradient>>) -> Summed {
    let mut shares = shares.into_iter();
    let mut grads = shares.next().expect("a batch has at least one share");
    for share in shares {
        assert_eq!(share.len(), grads.len(), "shares of other parameters");
        for (sum, more) in grads.iter_mut().zip(share) {
            match (&mut sum.0, &more.0) {
                (Form::Whole(sum), Form::Whole(more)) if sum.defined() && more.defined() => {
                    let _ = sum.g_add_(more);
                }
                _ => sum.add(more),
            }
        }
    }
    let squares: Option<Vec<f64>> = grads.iter_mut().map(measured).collect();
    let norm = if let Some(squares) = squares {
        squares.iter().sum::<f64>().sqrt()
    } else {
        let whole: Vec<Tensor> = grads.iter().map(Gradient::whole).collect();
        let norm = norm_of(&whole).double_value(&[]);
        grads = whole.into_iter().map(Gradient::from).collect();
        norm
    };
    Summed { grads, norm }
}

/// The sum of a gradient's squares where it lies on the CPU. Products of many rows are made for it, and it is whole from then on.
fn measured(grad: &mut Gradient) -> Option<f64> {
    let products = match &grad.0 {
        Form::Whole(tensor) => return square_sum(tensor),
        Form::Products(products) => products,
    };
    if products.iter().map(Factors::n_rows).sum::<i64>() <= FEW_ROWS {
        return Some(dense::square_sum(products));
    }
    let whole = products[0].empty();
    let squares = dense::with_sum_of_products(products, [&whole], |[whole], make| {
        make(whole);
        square_sum_of_piece(whole)
    });
    *grad = whole.into();
    Some(squares.iter().sum())
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;
    use tch::{Device, Kind};

    use super::*;
    use crate::optim::{
        Adam, AdamConfig, EpsilonForm, RmsPropCentered, RmsPropCenteredConfig, RmsPropTf,
        RmsPropTfConfig,
    };
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
            let (got, whole) = (got.whole(), whole.whole());
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

    fn wholes(grads: &[Gradient]) -> Vec<Tensor> {
        grads.iter().map(Gradient::whole).collect()
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
            (wholes(&grads), norm, weights)
        })
    }

    /// Products of few rows stay what they are, of many they are made; sum and norm are the same either way.
    #[test]
    fn many_rows_add_up_as_few_do() {
        let (params, layer) = layer();
        let once = summed(shares(&params, &layer, &[(0, 5)]));
        for (n_shares, are_few) in [(12, true), (20, false)] {
            let got = summed(shares(&params, &layer, &vec![(0, 5); n_shares]));
            let times = f64::from(u32::try_from(n_shares).unwrap());
            assert!((got.norm / (times * once.norm) - 1.0).abs() < 1e-6);
            for (got, once) in got.grads.iter().zip(&once.grads) {
                let expected = once.whole() * times;
                assert!(got.whole().allclose(&expected, 1e-4, 1e-5, false));
            }
            if crate::vectors::has_avx512() {
                let is_product = matches!(got.grads[0].0, Form::Products(_));
                assert_eq!(is_product, are_few);
            }
        }
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
        let expected = wholes(&summed(multiplied).grads);
        let got = summed(shares(&params, &layer, &rows));
        assert_eq!(wholes(&got.grads), expected);
        let mut mixed = shares(&params, &layer, &rows);
        mixed[1] = whole(&mixed[1]);
        assert_eq!(wholes(&summed(mixed).grads), expected);

        let [mut first, second, third]: [Vec<Gradient>; 3] =
            shares(&params, &layer, &rows).try_into().unwrap();
        let mut weight = first.swap_remove(0);
        weight.add(Gradient::from(Tensor::new()));
        for share in [second, third] {
            weight.add(share.into_iter().next().unwrap());
        }
        assert_eq!(weight.whole(), expected[0]);
    }

    /// Weights after two steps of each optimizer, of gradients as they come from `summed` or whole.
    fn stepped(are_whole: bool) -> Vec<Tensor> {
        type Step = Box<dyn FnMut(&Params, &[Gradient])>;
        let take_two = |make: fn(&Params) -> Step| {
            let (params, layer) = layer();
            let mut step = make(&params);
            for rows in [[(0, 2), (2, 3)], [(1, 1), (3, 2)]] {
                let mut grads = summed(shares(&params, &layer, &rows)).grads;
                if are_whole {
                    grads = wholes(&grads).into_iter().map(Gradient::from).collect();
                }
                step(&params, &grads);
            }
            params
                .tensors()
                .iter()
                .map(Tensor::detach)
                .collect::<Vec<_>>()
        };
        let optimizers: [fn(&Params) -> Step; 3] = [
            |params| {
                let constants = AdamConfig {
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-8,
                    epsilon_form: EpsilonForm::AfterCorrection,
                };
                let mut adam = Adam::new(constants, params);
                Box::new(move |params, grads| adam.step_scaled(params, grads, 1e-3, 0.5))
            },
            |params| {
                let (decay, epsilon) = (0.99, 1e-5);
                let mut rms = RmsPropTf::new(RmsPropTfConfig { decay, epsilon }, params);
                Box::new(move |params, grads| rms.step_scaled(params, grads, 1e-3, 0.5))
            },
            |params| {
                let (decay, epsilon) = (0.95, 0.01);
                let constants = RmsPropCenteredConfig { decay, epsilon };
                let mut rms = RmsPropCentered::new(constants, params);
                Box::new(move |params, grads| rms.step_scaled(params, grads, 1e-3, 0.5))
            },
        ];
        optimizers.into_iter().flat_map(take_two).collect()
    }

    #[test]
    fn a_step_on_products_is_that_on_what_they_are_bit_for_bit() {
        let expected = stepped(true);
        assert_eq!(expected.len(), 6);
        assert_eq!(stepped(false), expected);
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        assert_eq!(pool.install(|| stepped(false)), expected);
    }

    #[test]
    fn what_cancels_out_has_a_norm_of_0_and_takes_nothing_from_others() {
        let (params, layer) = layer();
        let of = |times: f64| {
            let share = shares(&params, &layer, &[(0, 3)]).remove(0);
            let times = |grad: Gradient| match grad.0 {
                Form::Products(products) => {
                    let products = products.into_iter().map(|product| product.times(times));
                    Gradient(Form::Products(products.collect()))
                }
                Form::Whole(whole) => (whole * times).into(),
            };
            share.into_iter().map(times).collect::<Vec<_>>()
        };
        let norm = |times: &[f64]| summed(times.iter().map(|&times| of(times)).collect()).norm;
        let (none, one) = (norm(&[0.1, 0.2, -0.3]), norm(&[1.0]));
        assert!(none >= 0.0 && none < 1e-3 * one, "{none} of {one}");
    }

    #[test]
    fn a_number_that_is_not_finite_shows_in_the_norm() {
        let (params, layer) = layer();
        let x = wave(&[5, SIZES.0], 0.37) * f64::INFINITY;
        let mut tape = Tape::default();
        let loss = layer.relu(&x, Some(&mut tape)).sum(Kind::Float);
        let share = unmultiplied_gradients(&loss, &params.leaves(), tape);
        assert!(!summed(vec![share]).norm.is_finite());

        // Finite rows, of which the product is not.
        let x = wave(&[5, SIZES.0], 0.37).abs() * 1e10;
        let mut tape = Tape::default();
        let loss = layer.relu(&x, Some(&mut tape)).sum(Kind::Float) * 1e30;
        let share = unmultiplied_gradients(&loss, &params.leaves(), tape);
        assert!(!summed(vec![share]).norm.is_finite());

        let mut shares = shares(&params, &layer, &[(0, 2), (2, 3)]);
        shares[1][1] = Gradient::from(wave(&[SIZES.1], 0.3) * f64::NAN);
        assert!(summed(shares).norm.is_nan());
    }
}
