use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Device;

use super::*;
use crate::{CoordLayers, TorsoKind};

fn config(kind: TorsoKind, head: QHead, size: i64) -> QNetworkConfig {
    QNetworkConfig {
        torso: TorsoConfig {
            kind,
            coord_layers: CoordLayers::First,
            coord_radius: false,
        },
        obs_shape: ObsShape::Frames([4, size, size]),
        n_actions: 6,
        head,
        init: Init::Torch,
    }
}

fn build(config: &QNetworkConfig, seed: u64) -> (Params, QNetwork) {
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let net = QNetwork::new(&mut params, config, &mut rng).unwrap();
    (params, net)
}

fn frames(n_images: i64) -> Tensor {
    (Tensor::arange(n_images * 4 * 36 * 36, (Kind::Int64, Device::Cpu)) * 7919)
        .remainder(256)
        .to_kind(Kind::Uint8)
        .view([n_images, 4, 36, 36])
}

#[test]
fn every_network_gives_one_value_per_action_and_image() {
    for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
        for head in [QHead::Plain, QHead::Dueling] {
            let (_, net) = build(&config(kind, head, 36), 1);
            assert_eq!(net.forward(&frames(3)).size(), [3, 6]);
        }
    }
}

/// 512 * 6 + 6 for the plain head; for the dueling one a second layer 3136 -> 512 and a value 512 -> 1.
#[test]
fn dueling_adds_a_hidden_layer_and_a_value_to_the_plain_network() {
    let n_params = |head| build(&config(TorsoKind::Conv, head, 84), 1).0.n_elements();
    let plain = 1_684_128 + 512 * 6 + 6;
    assert_eq!(n_params(QHead::Plain), plain);
    let added = 3136 * 512 + 512 + 512 + 1;
    assert_eq!(n_params(QHead::Dueling), plain + added);
}

#[test]
fn names_are_in_the_order_of_the_layers_and_the_seed_decides_the_weights() {
    let config = config(TorsoKind::Conv, QHead::Dueling, 36);
    let (params, _) = build(&config, 1);
    let weights: Vec<_> = params
        .iter()
        .filter_map(|(name, _)| name.strip_suffix(".weight"))
        .collect();
    let expected = [
        "torso.conv1",
        "torso.conv2",
        "torso.conv3",
        "value.hidden",
        "value.out",
        "advantage.hidden",
        "advantage.out",
    ];
    assert_eq!(weights, expected);
    assert_eq!(params.tensors(), build(&config, 1).0.tensors());
    assert_ne!(params.tensors(), build(&config, 2).0.tensors());
}

#[test]
fn the_mean_of_dueling_values_is_the_value_and_their_differences_are_the_advantages() {
    let (_, net) = build(&config(TorsoKind::CoordConv, QHead::Dueling, 36), 1);
    let Body::Dueling {
        trunk,
        value,
        advantage,
    } = &net.body
    else {
        panic!("asked for a dueling network");
    };
    let obs = frames(3);
    let x = trunk.forward(&obs);
    let (value, advantage) = (value.forward(&x, None), advantage.forward(&x, None));
    let q = net.forward(&obs);
    let mean = q.mean_dim(1, true, Kind::Float);
    assert!(mean.allclose(&value, 1e-5, 1e-6, false));
    let differences = |x: &Tensor| x - x.narrow(1, 0, 1);
    assert!(differences(&q).allclose(&differences(&advantage), 1e-4, 1e-6, false));
}

#[test]
fn a_scaled_gradient_leaves_the_value_alone() {
    let x = Tensor::from_slice(&[0.1_f32, -3.0, 1e-30]).set_requires_grad(true);
    let y = scale_gradient(&x, 0.25);
    assert_eq!(y.detach(), x.detach());
    let loss = y.square().sum(Kind::Float);
    let grad = &Tensor::run_backward(&[loss], &[&x], false, false)[0];
    assert!(grad.allclose(&(x.detach() * 0.5), 1e-6, 0.0, false));
    let untracked = tch::no_grad(|| scale_gradient(&(&x * 1.0), 0.25));
    assert_eq!(untracked, x.detach());
}

#[test]
fn no_action_is_refused() {
    let config = QNetworkConfig {
        n_actions: 0,
        ..config(TorsoKind::Conv, QHead::Plain, 36)
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let error = QNetwork::new(&mut Params::new(Device::Cpu), &config, &mut rng).map(|_| ());
    let message = error.unwrap_err().to_string();
    assert_eq!(message, "the number of actions must be at least 1, got 0");
}
