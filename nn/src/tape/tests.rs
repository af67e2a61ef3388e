use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::init::Init;
use crate::{
    ActorCritic, CoordLayers, ObsShape, Params, QHead, QNetwork, QNetworkConfig, TorsoConfig,
    TorsoKind,
};

const TORSO: TorsoConfig = TorsoConfig {
    kind: TorsoKind::CoordConv,
    coord_layers: CoordLayers::First,
    coord_radius: false,
};
/// Stacks for which there are kernels, and of which libtorch makes the features.
const N_FRAMES: [i64; 2] = [4, 2];

fn frames(n_images: i64, n_frames: i64) -> Tensor {
    (Tensor::arange(n_images * n_frames * 44 * 52, (Kind::Int64, Device::Cpu)) * 7919)
        .remainder(251)
        .to_kind(Kind::Uint8)
        .view([n_images, n_frames, 44, 52])
}

fn loss(outputs: &Tensor) -> Tensor {
    (outputs.sin() * outputs).sum(Kind::Float)
}

fn check(params: &Params, with_graph: &Tensor, with_tape: &Tensor, tape: Tape, what: &str) {
    let leaves = params.leaves();
    let expected = gradients(&loss(with_graph), &leaves, Tape::default());
    let got = gradients(&loss(with_tape), &leaves, tape);
    for ((name, param), (got, expected)) in params.iter().zip(got.iter().zip(&expected)) {
        assert_eq!(got.stride(), param.stride(), "{name}, {what}");
        let scale = expected.abs().max().double_value(&[]);
        let difference = (got - expected).abs().max().double_value(&[]);
        assert!(
            scale > 0.0 && difference < 1e-4 * scale,
            "{name}, {what}: {difference} of {scale}"
        );
    }
}

#[test]
fn a_q_networks_gradient_is_that_of_libtorchs_graph_whatever_its_head() {
    for (head, n_frames) in [QHead::Plain, QHead::Dueling]
        .into_iter()
        .flat_map(|head| N_FRAMES.map(|n_frames| (head, n_frames)))
    {
        let config = QNetworkConfig {
            torso: TORSO,
            obs_shape: ObsShape::Frames([n_frames, 44, 52]),
            n_actions: 5,
            head,
            init: Init::Torch,
        };
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let net = QNetwork::new(&mut params, &config, &mut rng).unwrap();
        let obs = frames(3, n_frames);
        let mut tape = Tape::default();
        let q = net.record(&obs, &mut tape);
        check(
            &params,
            &net.forward(&obs),
            &q,
            tape,
            &format!("{head:?}, {n_frames}"),
        );
    }
}

/// Whether the tape knows all layers, or some, or none.
#[test]
fn a_gradient_from_that_of_the_outputs_is_that_of_the_loss() {
    let frames_of = |n_frames| (ObsShape::Frames([n_frames, 44, 52]), frames(3, n_frames));
    let numbers = (Tensor::arange(12, (Kind::Float, Device::Cpu)) * 0.7).sin();
    let numbers = (ObsShape::Features(4), numbers.view([3, 4]));
    for (obs_shape, obs) in [frames_of(4), frames_of(2), numbers] {
        for head in [QHead::Plain, QHead::Dueling] {
            let mut torso = TORSO;
            if matches!(obs_shape, ObsShape::Features(_)) {
                torso.kind = TorsoKind::Mlp;
            }
            let config = QNetworkConfig {
                torso,
                obs_shape,
                n_actions: 5,
                head,
                init: Init::Torch,
            };
            let mut params = Params::new(Device::Cpu);
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let net = QNetwork::new(&mut params, &config, &mut rng).unwrap();
            let leaves = params.leaves();
            let expected = gradients(&loss(&net.forward(&obs)), &leaves, Tape::default());
            let mut tape = Tape::in_parts(2);
            let q = net.record(&obs, &mut tape);
            let x = q.detach();
            let slope = x.cos() * &x + x.sin(); // of `loss`
            let got = gradients_from(&q, &slope, &leaves, tape);
            for ((name, param), (got, expected)) in params.iter().zip(got.iter().zip(&expected)) {
                let got = got.whole();
                assert_eq!(got.stride(), param.stride(), "{name}");
                let scale = expected.abs().max().double_value(&[]);
                let difference = (got - expected).abs().max().double_value(&[]);
                assert!(difference < 1e-4 * scale, "{name}, {head:?}, {obs_shape:?}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "two last layers")]
fn a_tape_of_two_last_layers_is_a_bug() {
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut layer =
        |name, sizes| crate::Linear::new(&mut params, name, sizes, Init::Torch, 1.0, &mut rng);
    let (hidden, last) = (layer("hidden", (64, 4)), layer("last", (4, 2)));
    let x = Tensor::ones([2, 64], (Kind::Float, Device::Cpu));
    let mut tape = Tape::default();
    let hidden = hidden.relu(&x, Some(&mut tape));
    assert!(tape.knows_hidden(&hidden), "two last layers"); // there are no kernels here
    let _ = last.record_last(&hidden, &mut tape);
    let _ = last.record_last(&hidden, &mut tape);
}

#[test]
fn an_actor_critics_gradient_is_that_of_libtorchs_graph_over_several_passes() {
    for n_frames in N_FRAMES {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let shape = ObsShape::Frames([n_frames, 44, 52]);
        let net = ActorCritic::new(&mut params, &TORSO, shape, 5, &mut rng).unwrap();
        let obs = frames(5, n_frames);
        let mut tape = Tape::default();
        let begun = [(0, 2), (2, 3)].map(|(first, n)| {
            let mut own = Tape::default();
            let begun = net.begin(&obs.narrow(0, first, n), &mut own);
            tape.append(own);
            begun
        });
        let all = |(logits, value): (Tensor, Tensor)| {
            // The first policy is nearly uniform: its loss would be too small to compare.
            Tensor::cat(&[logits * 100.0, value.unsqueeze(1)], 1)
        };
        let outputs = all(net.finish(&Tensor::cat(&begun, 0), Some(&mut tape)));
        let with_graph = all(net.forward(&obs));
        let what = format!("{n_frames} frames");
        check(&params, &with_graph, &outputs, tape, &what);
    }
}

#[test]
fn dueling_streams_on_numbers_have_the_gradient_of_libtorchs_graph() {
    let config = QNetworkConfig {
        torso: TorsoConfig {
            kind: TorsoKind::Mlp,
            ..TORSO
        },
        obs_shape: ObsShape::Features(4),
        n_actions: 2,
        head: QHead::Dueling,
        init: Init::Torch,
    };
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let net = QNetwork::new(&mut params, &config, &mut rng).unwrap();
    let obs = (Tensor::arange(12, (Kind::Float, Device::Cpu)) * 0.7)
        .sin()
        .view([3, 4]);
    let mut tape = Tape::default();
    let q = net.record(&obs, &mut tape);
    check(&params, &net.forward(&obs), &q, tape, "numbers");
}
