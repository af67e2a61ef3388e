//! Values of `PyTorch`, written by `tests/golden/make_golden.py`: loss, td errors and gradients for each network and loss.

use rlrun_nn::TorsoKind;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::kit::{agent, batch, config};
use super::{Dqn, DqnConfig, LossKind};

/// `scale * sin(1.7 i + (i^2 mod 1009) + phase)`, `i` the index in row-major order.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the same rounding as PyTorch's; the indices are small"
)]
fn wave(shape: &[i64], scale: f64, phase: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|i| (scale * (1.7 * i as f64 + (i * i % 1009) as f64 + phase).sin()) as f32)
        .collect();
    Tensor::from_slice(&values).view(shape)
}

/// The parameters as the script fills them.
fn filled(weights: &[(String, Tensor)], phase: f64) -> Vec<(String, Tensor)> {
    let named = weights.iter().zip(0_i32..);
    let fill = |((name, param), idx): (&(String, Tensor), i32)| {
        let (shape, phase) = (param.size(), phase + 0.1 * f64::from(idx / 2));
        if shape.len() == 1 {
            return (name.clone(), wave(&shape, 0.1, 0.5 + phase));
        }
        let fan_in: i64 = shape[1..].iter().product();
        let scale = 2.0 / f64::from(i32::try_from(fan_in).unwrap()).sqrt();
        (name.clone(), wave(&shape, scale, phase))
    };
    named.map(fill).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

/// That every number is within `tolerance` of the golden one, measured by the greatest of these.
fn assert_close(got: &[f64], expected: &Value, tolerance: f64, what: &str) {
    let expected = numbers(expected);
    assert_eq!(got.len(), expected.len(), "{what}");
    let greatest = expected.iter().fold(1e-12_f64, |max, x| max.max(x.abs()));
    for (idx, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let error = (got - expected).abs() / greatest;
        assert!(error < tolerance, "{what}[{idx}]: {got}, golden {expected}");
    }
}

fn golden_agent(config: DqnConfig) -> Dqn {
    let agent = agent(config, TorsoKind::Conv, 1);
    let copy = |into: &super::Part, phase| {
        let weights = super::named(&into.params);
        let values: Vec<Tensor> = filled(&weights, phase)
            .into_iter()
            .map(|(_, t)| t)
            .collect();
        rlrun_nn::copy_all(&values, &into.params.tensors());
    };
    copy(&agent.online, 0.0);
    copy(&agent.target, 3.1);
    agent
}

fn check(name: &str, config: DqnConfig) {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/dqn.json")).unwrap();
    let golden = &golden[name];
    let batch = batch();
    let mut agent = golden_agent(config);
    let mut replica = agent.replica();

    let mut q_t = Vec::new();
    replica.q_values(&batch.obs_t, &mut q_t);
    let q_t: Vec<f64> = q_t.into_iter().map(f64::from).collect();
    assert_close(&q_t, &golden["q_t"], 1e-5, &format!("q of {name}"));

    let gradient = replica.gradient(&batch, 0..batch.len());
    let golden_grads = golden["grads"].as_array().unwrap();
    assert_eq!(gradient.grads.len(), golden_grads.len());
    for (grad, golden) in gradient.grads.iter().zip(golden_grads) {
        let what = format!("gradient of {} in {name}", golden["name"]);
        let flat = grad.whole().to_kind(Kind::Double).reshape([-1]);
        let norm = flat.norm().double_value(&[]);
        let expected = golden["norm"].as_f64().unwrap();
        assert!(
            (norm / expected - 1.0).abs() < 1e-5,
            "{what}: norm {norm}, golden {expected}"
        );
        let stride = golden["stride"].as_i64().unwrap();
        let sample = flat.slice(0, 0, flat.size()[0], stride);
        let sample = Vec::<f64>::try_from(sample).unwrap();
        assert_close(&sample, &golden["sample"], 1e-4, &what);
    }

    let (stats, td_errors) = agent.apply(vec![gradient], 0).unwrap();
    let td_errors: Vec<f64> = td_errors.into_iter().map(f64::from).collect();
    assert_close(&td_errors, &golden["td_errors"], 1e-5, name);
    for (got, key) in [(stats.loss, "loss"), (stats.q_mean, "q_mean")] {
        let expected = golden[key].as_f64().unwrap();
        assert!(
            (got / expected - 1.0).abs() < 1e-5,
            "{key} of {name}: {got}, golden {expected}"
        );
    }
}

#[test]
fn every_network_and_loss_has_pytorchs_loss_td_errors_and_gradients() {
    for (loss, loss_name) in [(LossKind::Huber, "huber"), (LossKind::Mse, "mse")] {
        for (double, dueling, name) in [
            (false, false, "plain"),
            (true, false, "double"),
            (false, true, "dueling"),
            (true, true, "double_dueling"),
        ] {
            let config = DqnConfig {
                loss,
                double,
                dueling,
                ..config()
            };
            check(&format!("{name}_{loss_name}"), config);
        }
    }
}
