use super::*;
use crate::Gradient;
use crate::pool::in_a_pool;

/// A smooth matrix without symmetries.
fn wave(shape: &[i64], step: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    (Tensor::arange(n, (Kind::Float, Device::Cpu)) * step)
        .sin()
        .view(shape)
}

fn assert_close(got: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(got.size(), expected.size(), "{what}");
    let scale = expected.abs().max().double_value(&[]);
    let difference = (got - expected).abs().max().double_value(&[]);
    assert!(
        scale > 0.0 && difference < 1e-5 * scale,
        "{what}: {difference} of {scale}"
    );
}

/// Tiles of one to six rows, and more inputs than a strip has or fewer.
#[test]
fn values_and_gradients_are_those_of_libtorch() {
    for n_in in [64, 896, 1024] {
        for n_rows in [1, 2, 3, 4, 5, 6, 7, 13, 40] {
            let [weight, bias, x] = [
                wave(&[12, n_in], 0.37),
                wave(&[12], 1.9),
                wave(&[n_rows, n_in], 0.83),
            ]
            .map(|tensor| tensor.set_requires_grad(true));
            if !fits(&weight) {
                assert!(!has_avx512());
                eprintln!("skipped: this processor has no AVX-512");
                return;
            }
            let what = format!("{n_rows} rows of {n_in}");
            let expected = x.linear(&weight, Some(&bias)).relu();
            let pass = Pass::new(&weight, &bias, &x);
            assert_close(&pass.y, &expected.detach(), &what);

            let dy = wave(&[n_rows, 12], 0.71);
            let loss = (&expected * &dy).sum(Kind::Float);
            let expected = Tensor::run_backward(&[loss], &[&weight, &bias, &x], false, false);
            let got = pass.gradients(&dy);
            assert_close(
                &Gradient::from(got.weight).whole(),
                &expected[0],
                &format!("weight, {what}"),
            );
            assert_close(&got.bias, &expected[1], &format!("bias, {what}"));
            assert_close(&got.x, &expected[2], &format!("x, {what}"));
        }
    }
}

#[test]
fn what_is_not_a_number_does_not_become_one() {
    let (weight, bias) = (wave(&[4, 64], 0.3), wave(&[4], 0.2));
    if fits(&weight) {
        let x = wave(&[2, 64], 0.1) * f64::NAN;
        let y = Pass::new(&weight, &bias, &x).y;
        assert!(bool::try_from(y.isnan().all()).unwrap());
    }
}

#[test]
fn other_sizes_and_kinds_are_left_to_libtorch() {
    assert!(!fits(&wave(&[4, 63], 0.3)) && !fits(&wave(&[6, 64], 0.3)));
    assert!(!fits(&wave(&[4, 64], 0.3).to_kind(Kind::BFloat16)));
}

#[test]
fn no_bit_depends_on_who_takes_which_columns() {
    for n_rows in [1, 3, 32] {
        let run = || {
            let (weight, bias) = (wave(&[68, 1024], 0.37), wave(&[68], 1.9));
            let (x, dy) = (wave(&[n_rows, 1024], 0.83), wave(&[n_rows, 68], 0.71));
            if !fits(&weight) {
                return None;
            }
            let pass = Pass::new(&weight, &bias, &x);
            let grads = pass.gradients(&dy);
            Some((
                pass.y,
                grads.bias,
                grads.x,
                Gradient::from(grads.weight).whole(),
            ))
        };
        let alone = run();
        for n_threads in [1, 2, 5] {
            assert_eq!(in_a_pool(Some(n_threads), run), alone);
        }
    }
}
