use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::init::Init;
use crate::pool::in_a_pool;
use crate::{CoordLayers, NatureConvs, Params, Tape, TorsoConfig, TorsoKind};

const TORSOS: [TorsoConfig; 4] = [
    torso(TorsoKind::Conv, CoordLayers::First, false),
    torso(TorsoKind::CoordConv, CoordLayers::First, false),
    torso(TorsoKind::CoordConv, CoordLayers::First, true),
    torso(TorsoKind::CoordConv, CoordLayers::All, true),
];

const fn torso(kind: TorsoKind, coord_layers: CoordLayers, coord_radius: bool) -> TorsoConfig {
    TorsoConfig {
        kind,
        coord_layers,
        coord_radius,
    }
}

/// Convolutions with biases that are not zero; none where there are no kernels for this computer.
fn build(config: TorsoConfig, [height, width]: [i64; 2]) -> Option<(Params, NatureConvs)> {
    if !has_avx512() {
        eprintln!("skipped: this processor has no AVX-512");
        return None;
    }
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let shape = [4, height, width];
    let convs = NatureConvs::new(&mut params, &config, shape, Init::Orthogonal, &mut rng).unwrap();
    tch::no_grad(|| {
        for (_, tensor) in params.iter().filter(|(name, _)| name.ends_with("bias")) {
            let n = tensor.size()[0];
            let values = (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.9).sin() * 0.1;
            tensor.shallow_clone().copy_(&values);
        }
    });
    Some((params, convs))
}

/// Frames in which no two pixels follow the same pattern, from the `first` of them on.
fn frames(first: i64, n_images: i64, [height, width]: [i64; 2]) -> Tensor {
    let len = 4 * height * width;
    let range = (first * len, (first + n_images) * len);
    (Tensor::arange_start(range.0, range.1, (Kind::Int64, Device::Cpu)) * 7919)
        .remainder(251)
        .to_kind(Kind::Uint8)
        .view([n_images, 4, height, width])
}

/// A loss with another slope for every feature.
fn loss(features: &Tensor) -> Tensor {
    let n = i64::try_from(features.numel()).unwrap();
    let slopes = (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.37).cos();
    (features * slopes.view_as(features)).sum(Kind::Float)
}

fn assert_close(got: &Tensor, expected: &Tensor, what: &str) {
    let scale = expected.abs().max().double_value(&[]);
    let difference = (got - expected).abs().max().double_value(&[]);
    assert!(
        scale > 0.0 && difference < 1e-5 * scale,
        "{what}: {difference} of {scale}"
    );
}

/// Sizes with whole tiles, with parts of tiles, and with as many rows as columns or not.
#[test]
fn features_and_gradients_are_those_of_libtorch() {
    for size in [[84, 84], [36, 36], [55, 40]] {
        for config in TORSOS {
            let Some((params, convs)) = build(config, size) else {
                return;
            };
            let obs = frames(0, 3, size);
            let expected = convs.forward(&obs);
            let mut tape = Tape::default();
            let got = convs.record(&obs, &mut tape);
            let what = format!("{config:?} at {size:?}");
            assert!(!expected.is_leaf() && got.is_leaf(), "{what}");
            assert_close(&got.detach(), &expected.detach(), &what);
            assert_eq!(got.detach(), tch::no_grad(|| convs.forward(&obs)));

            let leaves = params.leaves();
            let expected = crate::gradients(&loss(&expected), &leaves, Tape::default());
            let got = crate::gradients(&loss(&got), &leaves, tape);
            for ((name, param), (got, expected)) in params.iter().zip(got.iter().zip(&expected)) {
                assert_eq!(got.size(), param.size(), "{name}, {what}");
                assert_eq!(got.stride(), param.stride(), "{name}, {what}");
                assert_close(got, expected, &format!("{name}, {what}"));
            }
        }
    }
}

#[test]
fn passes_on_one_tape_give_the_gradient_of_one_pass_bit_for_bit() {
    let size = [36, 44];
    for config in TORSOS {
        let Some((params, convs)) = build(config, size) else {
            return;
        };
        let obs = frames(0, 5, size);
        let mut tape = Tape::default();
        let whole = crate::gradients(
            &loss(&convs.record(&obs, &mut tape)),
            &params.leaves(),
            tape,
        );
        let mut tape = Tape::default();
        let parts = [(0, 2), (2, 3)].map(|(first, n)| {
            let mut own = Tape::default();
            let features = convs.record(&frames(first, n, size), &mut own);
            tape.append(own);
            features
        });
        let features = Tensor::cat(&parts, 0);
        let parts = crate::gradients(&loss(&features), &params.leaves(), tape);
        assert_eq!(parts, whole, "{config:?}");
    }
}

#[test]
fn an_image_is_seen_alone_as_among_others() {
    let size = [84, 84];
    let Some((_, convs)) = build(TORSOS[1], size) else {
        return;
    };
    let look = |obs: &Tensor| tch::no_grad(|| convs.forward(obs));
    let together = look(&frames(0, 4, size));
    for image in 0..4 {
        assert_eq!(look(&frames(image, 1, size)).get(0), together.get(image));
    }
    assert_eq!(look(&frames(0, 0, size)).size(), [0, 3136]);
}

#[test]
fn what_is_not_a_number_does_not_become_one() {
    let size = [36, 36];
    let Some((params, convs)) = build(TORSOS[0], size) else {
        return;
    };
    let _ = tch::no_grad(|| params.tensors()[1].fill_(f64::NAN));
    let features = tch::no_grad(|| convs.forward(&frames(0, 1, size)));
    assert!(bool::try_from(features.isnan().all()).unwrap());
}

#[test]
fn other_frames_and_other_precisions_are_left_to_libtorch() {
    let specs = [
        ConvSpec::new(4, 32, 8).stride(4),
        ConvSpec::new(32, 64, 4).stride(2),
        ConvSpec::new(64, 64, 3),
    ];
    let compute = |precision| Compute {
        device: Device::Cpu,
        precision,
    };
    let kernels = |n_frames, precision| {
        let specs = [
            ConvSpec {
                in_channels: n_frames,
                ..specs[0]
            },
            specs[1],
            specs[2],
        ];
        WinogradConvs::new(&specs, [n_frames, 84, 84], compute(precision)).is_some()
    };
    assert_eq!(kernels(4, Precision::Float32), has_avx512());
    assert!(!kernels(4, Precision::Bf16) && !kernels(1, Precision::Float32));
}

#[test]
#[should_panic(expected = "the passes of a tape are those of one network")]
fn a_tape_of_two_networks_is_a_bug() {
    let size = [36, 36];
    let built = [(); 2].map(|()| build(TORSOS[0], size));
    let [Some((params, a)), Some((_, b))] = &built else {
        panic!("the passes of a tape are those of one network"); // there are no kernels here
    };
    let mut tape = Tape::default();
    let features = [a, b].map(|convs| convs.record(&frames(0, 1, size), &mut tape));
    let _ = crate::gradients(&loss(&Tensor::cat(&features, 0)), &params.leaves(), tape);
}

/// Features and gradients of a tape in parts of three images, in a pool of so many threads or in none.
fn in_parts(config: TorsoConfig, n_threads: Option<usize>) -> Option<(Tensor, Vec<Tensor>)> {
    let size = [36, 44];
    let run = || {
        let (params, convs) = build(config, size)?;
        let mut tape = Tape::in_parts(3);
        let features = convs.record(&frames(0, 8, size), &mut tape);
        let grads = crate::gradients(&loss(&features), &params.leaves(), tape);
        Some((features.detach(), grads))
    };
    in_a_pool(n_threads, run)
}

#[test]
fn parts_add_up_and_no_bit_depends_on_who_takes_them() {
    for config in TORSOS {
        let Some(alone) = in_parts(config, None) else {
            return;
        };
        for n_threads in [1, 2, 5] {
            assert_eq!(in_parts(config, Some(n_threads)).as_ref(), Some(&alone));
        }
        let (params, convs) = build(config, [36, 44]).unwrap();
        let mut tape = Tape::default();
        let features = convs.record(&frames(0, 8, [36, 44]), &mut tape);
        let whole = crate::gradients(&loss(&features), &params.leaves(), tape);
        for ((name, _), (parts, whole)) in params.iter().zip(alone.1.iter().zip(&whole)) {
            assert_close(parts, whole, &format!("{name}, {config:?}"));
        }
    }
}

#[test]
fn weights_that_change_are_seen_by_the_next_pass() {
    let size = [36, 36];
    let Some((params, convs)) = build(TORSOS[0], size) else {
        return;
    };
    let look = || tch::no_grad(|| convs.forward(&frames(0, 1, size)));
    let before = look();
    tch::no_grad(|| {
        let mut weight = params.tensors()[2].shallow_clone();
        let _ = weight.g_mul_scalar_(1.5);
    });
    let after = look();
    assert_ne!(after, before);
    let other = convs.share();
    assert_eq!(tch::no_grad(|| other.forward(&frames(0, 1, size))), after);
}
