//! Values of `PyTorch`, written by `tests/golden/make_golden.py`: the torso's features and gradients, five steps of each
//! optimizer, and clipping. Inputs are filled by formulas that both languages compute.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::init::Init;
use crate::optim::{
    Adam, AdamConfig, EpsilonForm, RmsPropCentered, RmsPropCenteredConfig, RmsPropTf,
    RmsPropTfConfig, Summed, clip_scale, summed,
};
use crate::{CoordLayers, Gradient, NatureTorso, Params, Tape, TorsoConfig, TorsoKind, gradients};

use self::compare::{assert_close, wave};

mod compare;

const OBS_SHAPE: [i64; 4] = [2, 4, 44, 52];

fn frames() -> Tensor {
    let n = OBS_SHAPE.iter().product::<i64>();
    let bytes: Vec<u8> = (0..n)
        .map(|i| u8::try_from((7919 * i + 31 * (i / OBS_SHAPE[3])) % 256).unwrap())
        .collect();
    Tensor::from_slice(&bytes).view(OBS_SHAPE)
}

fn golden(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Columns in the order channel, row, column (`PyTorch`'s flatten) put in the crate's order row, column, channel, or back.
fn fc_columns(weight: &Tensor, to_crate: bool) -> Tensor {
    let (view, order) = if to_crate {
        ([512, 64, 2, 3], [0, 2, 3, 1])
    } else {
        ([512, 2, 3, 64], [0, 3, 1, 2])
    };
    weight.reshape(view).permute(order).reshape([512, -1])
}

/// Fills the torso's parameters as the script does.
fn fill(params: &mut Params) {
    let filled: Vec<(String, Tensor)> = params
        .iter()
        .zip(0_i32..)
        .map(|((name, param), idx)| {
            let (shape, phase) = (param.size(), 0.1 * f64::from(idx / 2));
            if shape.len() == 1 {
                return (name.to_owned(), wave(&shape, 0.1, 0.5 + phase));
            }
            let fan_in: i64 = shape[1..].iter().product();
            let scale = 2.0 / f64::from(i32::try_from(fan_in).unwrap()).sqrt();
            let weight = wave(&shape, scale, phase);
            let is_fc = name == "torso.fc.weight";
            let weight = if is_fc {
                fc_columns(&weight, true)
            } else {
                weight
            };
            (name.to_owned(), weight)
        })
        .collect();
    params.load(&filled).unwrap();
}

fn check_torso(name: &str, kind: TorsoKind, coord_layers: CoordLayers, coord_radius: bool) {
    let golden = &golden(include_str!("../tests/golden/torso.json"))[name];
    let config = TorsoConfig {
        kind,
        coord_layers,
        coord_radius,
    };
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let obs_shape = [OBS_SHAPE[1], OBS_SHAPE[2], OBS_SHAPE[3]];
    let torso =
        NatureTorso::new(&mut params, &config, obs_shape, Init::Orthogonal, &mut rng).unwrap();
    fill(&mut params);

    // libtorch's graph all the way, and what kernels there are.
    let mut tape = Tape::default();
    let begun = torso.begin(&frames(), &mut tape);
    let with_tape = torso.finish(&begun, Some(&mut tape));
    check_pass(
        &params,
        &torso.forward(&frames()),
        Tape::default(),
        golden,
        name,
    );
    check_pass(
        &params,
        &with_tape,
        tape,
        golden,
        &format!("{name}, with a tape"),
    );
}

fn check_pass(params: &Params, features: &Tensor, tape: Tape, golden: &Value, name: &str) {
    assert_close(
        &features.slice(1, 0, 512, 4),
        &golden["features"],
        1e-5,
        name,
    );
    let loss = (features * wave(&features.size(), 1.0, 0.9)).sum(Kind::Float);
    let grads = gradients(&loss, &params.leaves(), tape);
    let golden_grads = golden["grads"].as_array().unwrap();
    assert_eq!(grads.len(), golden_grads.len());
    for (((param, _), grad), golden) in params.iter().zip(&grads).zip(golden_grads) {
        let is_fc = param == "torso.fc.weight";
        let grad = if is_fc {
            fc_columns(grad, false)
        } else {
            grad.shallow_clone()
        };
        let what = format!("gradient of {param} in {name}");
        let norm = grad.to_kind(Kind::Double).norm().double_value(&[]);
        let expected = golden["norm"].as_f64().unwrap();
        assert!(
            (norm / expected - 1.0).abs() < 1e-5,
            "{what}: norm {norm}, golden {expected}"
        );
        let stride = golden["stride"].as_i64().unwrap();
        let flat = grad.reshape([-1]);
        let sample = flat.slice(0, 0, flat.size()[0], stride);
        assert_close(&sample, &golden["sample"], 1e-4, &what);
    }
}

#[test]
fn the_plain_torso_is_pytorchs() {
    check_torso("conv", TorsoKind::Conv, CoordLayers::First, false);
}

#[test]
fn the_torso_with_coordinates_is_pytorchs_with_concatenated_channels() {
    let kind = TorsoKind::CoordConv;
    check_torso("coordconv_first", kind, CoordLayers::First, false);
    check_torso("coordconv_first_radius", kind, CoordLayers::First, true);
    check_torso("coordconv_all_radius", kind, CoordLayers::All, true);
}

/// The weight that the optimizers start from, and its gradient at step `step`.
fn optim_params() -> Params {
    let mut params = Params::new(Device::Cpu);
    let _ = params.add("w", wave(&[3, 4], 1.0, 0.2));
    params
}

fn optim_grad(step: i32) -> Tensor {
    wave(&[3, 4], 3.0 / f64::from(step + 1), f64::from(step))
}

#[test]
fn five_steps_of_rms_prop_in_tensorflows_form() {
    let golden = &golden(include_str!("../tests/golden/optim.json"))["rms_prop_tf"];
    let params = optim_params();
    let config = RmsPropTfConfig {
        decay: 0.99,
        epsilon: 1e-5,
    };
    let mut optimizer = RmsPropTf::new(config, &params);
    for (step, golden) in (0..).zip(golden.as_array().unwrap()) {
        optimizer.step(&params, &[optim_grad(step)], 0.05);
        assert_close(&params.tensors()[0], &golden["weight"], 1e-6, "weight");
        assert_close(
            &optimizer.state()[0].1,
            &golden["mean_square"],
            1e-6,
            "mean square",
        );
    }
}

#[test]
fn five_steps_of_centred_rms_prop() {
    let golden = &golden(include_str!("../tests/golden/optim.json"))["rms_prop_centered"];
    let params = optim_params();
    let config = RmsPropCenteredConfig {
        decay: 0.95,
        epsilon: 0.01,
    };
    let mut optimizer = RmsPropCentered::new(config, &params);
    for (step, golden) in (0..).zip(golden.as_array().unwrap()) {
        optimizer.step(&params, &[optim_grad(step)], 0.05);
        assert_close(&params.tensors()[0], &golden["weight"], 1e-6, "weight");
        for ((name, state), what) in optimizer.state().iter().zip(["mean", "mean_square"]) {
            assert_close(state, &golden[what], 1e-6, name);
        }
    }
}

fn check_adam(name: &str, config: AdamConfig) {
    let golden = &golden(include_str!("../tests/golden/optim.json"))[name];
    let params = optim_params();
    let mut optimizer = Adam::new(config, &params);
    for (step, golden) in (0..).zip(golden.as_array().unwrap()) {
        optimizer.step(&params, &[optim_grad(step)], 0.05);
        assert_close(&params.tensors()[0], &golden["weight"], 1e-6, name);
    }
}

#[test]
fn five_steps_of_pytorchs_adam() {
    let config = AdamConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        epsilon_form: EpsilonForm::AfterCorrection,
    };
    check_adam("adam", config);
}

/// With an epsilon so large that the other form would fail.
#[test]
fn five_steps_of_tensorflows_adam() {
    let config = AdamConfig {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 0.1,
        epsilon_form: EpsilonForm::BeforeCorrection,
    };
    check_adam("adam_tf", config);
}

/// `PyTorch` divides by the norm plus 1e-6, this crate by the norm.
#[test]
fn clipping_is_pytorchs_but_for_its_1e_6() {
    let golden = &golden(include_str!("../tests/golden/optim.json"))["clip"];
    for golden in golden.as_array().unwrap() {
        let grads: Vec<Tensor> = (0..5).map(optim_grad).collect();
        let share = grads.into_iter().map(Gradient::from).collect();
        let Summed { grads, norm } = summed(vec![share]);
        let scale = clip_scale(norm, golden["max_norm"].as_f64().unwrap());
        let expected = golden["norm"].as_f64().unwrap();
        assert!(
            (norm / expected - 1.0).abs() < 1e-6,
            "{norm}, golden {expected}"
        );
        for (grad, expected) in grads.iter().zip(golden["grads"].as_array().unwrap()) {
            assert_close(&(grad.whole() * scale), expected, 1e-6, "clipped gradient");
        }
    }
}
