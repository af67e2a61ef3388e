//! Values of `PyTorch`, written by `tests/golden/make_golden.py`: each network's output, gradients and running statistics.
//! Parameters and images are filled by a formula that both languages compute.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rlrun_nn::Params;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::layers::Mode;
use crate::nets::{CoordRegressor, DeconvPainter, FullyConvRegressor, Painter, PooledRegressor};
use crate::not_so_clevr::Location;

use self::compare::{assert_close, wave};

#[path = "../../nn/src/golden/compare.rs"]
mod compare;

const LOCATIONS: [Location; 3] = [
    Location { x: 4, y: 4 },
    Location { x: 59, y: 31 },
    Location { x: 20, y: 47 },
];
const MODES: [(Mode, &str); 2] = [(Mode::Train, "train"), (Mode::Eval, "eval")];

fn images() -> Tensor {
    wave(&[2, 1, 64, 64], 1.0, 0.4)
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// Fills the parameters as the script does.
fn fill(params: &mut Params) {
    let filled: Vec<(String, Tensor)> = params
        .iter()
        .zip(0_i32..)
        .map(|((name, param), idx)| {
            let (shape, phase) = (param.size(), 0.1 * f64::from(idx));
            let value = match name.split_once('.').unwrap().1 {
                "weight" => {
                    let n: i64 = shape[1..].iter().product();
                    let n = f64::from(i32::try_from(n).unwrap());
                    wave(&shape, 3.0 / n.sqrt(), phase)
                }
                "gamma" => wave(&shape, 0.25, phase) + 1.0,
                _ => wave(&shape, 0.1, phase),
            };
            (name.to_owned(), value)
        })
        .collect();
    params.load(&filled).unwrap();
}

/// Fills the running statistics as the script does.
fn fill_buffers(buffers: Vec<(String, Tensor)>) {
    for (name, mut buffer) in buffers {
        let shape = buffer.size();
        let value = if name.ends_with("mean") {
            wave(&shape, 0.2, 0.3)
        } else {
            wave(&shape, 0.5, 0.6) + 1.0
        };
        buffer.copy_(&value);
    }
}

/// That the norm and every sampled element are within `tolerance` of the golden ones. What is zero but for rounding, less than
/// 1e-9, must be small, `zero`.
fn assert_sampled(got: &Tensor, golden: &Value, (tolerance, zero): (f64, f64), what: &str) {
    let flat = got.detach().to_kind(Kind::Double).reshape([-1]);
    let norm = flat.norm().double_value(&[]);
    let expected_norm = golden["norm"].as_f64().unwrap();
    if expected_norm < 1e-9 {
        assert!(norm < zero, "{what}: norm {norm}, golden {expected_norm}");
        return;
    }
    assert!(
        (norm / expected_norm - 1.0).abs() < tolerance,
        "{what}: norm {norm}, golden {expected_norm}"
    );
    let stride = golden["stride"].as_i64().unwrap();
    let sample = flat.slice(0, 0, flat.size()[0], stride);
    assert_close(&sample, &golden["sample"], tolerance, what);
}

/// That two tensors have their elements in one order of memory, which saves the optimizer a copy. The strides of axes of size
/// 1 say nothing.
fn assert_lies_as(got: &Tensor, expected: &Tensor, what: &str) {
    let strides = |x: &Tensor| {
        let axes = x.size().into_iter().zip(x.stride());
        axes.filter(|&(size, _)| size > 1).collect::<Vec<_>>()
    };
    assert_eq!(strides(got), strides(expected), "sizes and strides, {what}");
}

/// Compares the output, the gradients of `sum(output * wave)`, and the running statistics after the pass.
fn check(name: &str, out: &Tensor, params: &Params, buffers: &[(String, Tensor)]) {
    let golden: Value = serde_json::from_str(include_str!("../tests/golden/nets.json")).unwrap();
    let golden = &golden[name];
    assert_sampled(out, &golden["out"], (1e-4, 0.0), name);
    let loss = (out * wave(&out.size(), 1.0, 0.9)).sum(Kind::Float);
    let grads = Tensor::run_backward(&[loss], &params.tensors(), false, false);
    assert_eq!(golden["grads"].as_object().unwrap().len(), grads.len());
    let norms = grads.iter().map(|grad| grad.norm().double_value(&[]));
    let zero = 1e-4 * norms.fold(0.0, f64::max);
    for ((param, value), grad) in params.iter().zip(&grads) {
        let what = format!("gradient of {param} in {name}");
        assert_lies_as(grad, value, &what);
        assert_sampled(grad, &golden["grads"][param], (1e-3, zero), &what);
    }
    for (buffer, value) in buffers {
        let (layer, which) = buffer.split_once('.').unwrap();
        let golden = &golden["stats"][layer][usize::from(which == "running_var")];
        assert_sampled(value, golden, (1e-4, 0.0), &format!("{buffer} in {name}"));
    }
}

#[test]
fn the_deconv_painter_is_pytorchs() {
    let xy = LOCATIONS.map(|l| [f32::from(l.x), f32::from(l.y)]);
    let xy = Tensor::from_slice(xy.as_flattened()).view([3, 2]);
    for filter in 2..=4 {
        for (mode, mode_name) in MODES {
            let mut params = Params::new(Device::Cpu);
            let net = DeconvPainter::new(&mut params, 1, filter, &mut rng());
            fill(&mut params);
            fill_buffers(net.buffers());
            let out = net.forward(&xy, mode);
            let name = format!("deconv_painter_{filter}_{mode_name}");
            check(&name, &out, &params, &net.buffers());
        }
    }
}

#[test]
fn the_pooled_regressor_is_pytorchs() {
    let mut params = Params::new(Device::Cpu);
    let net = PooledRegressor::new(&mut params, 1, &mut rng());
    fill(&mut params);
    check("pooled_regressor", &net.forward(&images()), &params, &[]);
}

#[test]
fn the_fully_convolutional_regressor_is_pytorchs() {
    for (mode, mode_name) in MODES {
        let mut params = Params::new(Device::Cpu);
        let net = FullyConvRegressor::new(&mut params, 1, &mut rng());
        fill(&mut params);
        fill_buffers(net.buffers());
        let out = net.forward(&images(), mode);
        let name = format!("fully_conv_regressor_{mode_name}");
        check(&name, &out, &params, &net.buffers());
    }
}

#[test]
fn the_coord_regressor_is_pytorchs_with_dense_images() {
    let mut params = Params::new(Device::Cpu);
    let net = CoordRegressor::new(&mut params, &mut rng());
    fill(&mut params);
    tch::no_grad(|| {
        let _ = params.tensors()[0].narrow(1, 0, 1).g_mul_scalar_(20.0);
    });
    check("coord_regressor", &net.forward(&LOCATIONS), &params, &[]);
}

#[test]
fn the_painter_is_pytorchs() {
    for filter in [1, 3] {
        let mut params = Params::new(Device::Cpu);
        let net = Painter::new(&mut params, 1, filter, &mut rng());
        fill(&mut params);
        let out = net.forward(&images());
        check(&format!("painter_{filter}"), &out, &params, &[]);
    }
}
