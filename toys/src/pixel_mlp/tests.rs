use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::gradient::live_pixels;
use super::*;
use crate::not_so_clevr::N_PIXELS;

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);
const INPUTS: [[f32; 2]; 3] = [[-0.87, 0.87], [-0.05, -0.02], [0.87, -0.87]];

fn network(width: i64) -> (Params, PixelMlp) {
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mlp = PixelMlp::new(&mut params, width, &mut rng);
    for bias in &mlp.biases {
        let _ = tch::no_grad(|| bias.shallow_clone().fill_(0.1));
    }
    (params, mlp)
}

/// The definition: tile the location, append the coordinates, convolve.
fn convolved(params: &Params) -> Tensor {
    let flat: Vec<f32> = INPUTS.concat();
    let xy = Tensor::from_slice(&flat).view([3, 2, 1, 1]);
    let tiled = xy.expand([3, 2, 64, 64], false);
    let coords = rlrun_nn::coord_channels(64, 64, false, CPU).expand([3, 2, 64, 64], false);
    let mut x = Tensor::cat(&[tiled, coords], 1);
    let tensors = params.tensors();
    for (layer_idx, layer) in tensors.chunks_exact(2).enumerate() {
        x = x.conv2d(&layer[0], Some(&layer[1]), [1, 1], [0, 0], [1, 1], 1);
        if layer_idx < 4 {
            x = x.relu();
        }
    }
    x.flatten(1, -1)
}

/// A smooth gradient of the logits without zeros.
fn dense_dlogits() -> Tensor {
    let n = i64::try_from(N_PIXELS).unwrap();
    (Tensor::arange(3 * n, CPU) * 0.37).sin().view([3, n]) / 4096.0
}

#[test]
fn parameters_are_counted_as_published() {
    assert_eq!(network(1).0.n_elements(), 7_553);
    assert_eq!(network(2).0.n_elements(), 29_441);
}

#[test]
fn logits_are_those_of_the_convolutions() {
    for width in [1, 2] {
        let (params, mlp) = network(width);
        let (got, expected) = (mlp.freeze().logits(&INPUTS), convolved(&params));
        let scale = expected.abs().max().double_value(&[]);
        let error = (got - expected).abs().max().double_value(&[]);
        assert!(error < 1e-5 * scale, "{error} of {scale}");
    }
}

#[test]
fn gradients_are_those_of_the_convolutions() {
    for width in [1, 2] {
        let (params, mlp) = network(width);
        let loss = (convolved(&params) * dense_dlogits()).sum(Kind::Float);
        let expected = Tensor::run_backward(&[loss], &params.tensors(), false, false);
        let got = mlp.backward(&mlp.freeze(), &INPUTS, &dense_dlogits());
        assert_eq!(got.len(), expected.len());
        for ((got, expected), (name, param)) in got.iter().zip(&expected).zip(params.iter()) {
            assert_eq!(got.size(), param.size(), "{name}");
            let scale = expected.abs().max().double_value(&[]);
            let error = (got - expected).abs().max().double_value(&[]);
            assert!(error < 2e-5 * scale, "{name}: {error} of {scale}");
        }
    }
}

/// All of one sign, so that no sum cancels and hides, or makes up, what was left out.
#[test]
fn a_peaked_gradient_leaves_few_pixels_and_the_same_result() {
    let (params, mlp) = network(1);
    let n = i64::try_from(N_PIXELS).unwrap();
    let peaks = Tensor::from_slice(&[100.0_f32, 2000.0, 4000.0]).view([3, 1]);
    let dlogits = ((Tensor::arange(n, CPU) - peaks).abs() * -0.1).exp(); // [3, 4096]
    let first = Vec::<f32>::try_from(dlogits.select(0, 0)).unwrap();
    let n_live = live_pixels(&first).len();
    assert!(n_live < N_PIXELS / 8, "{n_live} pixels are live");
    let loss = (convolved(&params) * &dlogits).sum(Kind::Float);
    let expected = Tensor::run_backward(&[loss], &params.tensors(), false, false);
    let got = mlp.backward(&mlp.freeze(), &INPUTS, &dlogits);
    for ((got, expected), (name, _)) in got.iter().zip(&expected).zip(params.iter()) {
        let scale = expected.abs().max().double_value(&[]);
        let error = (got - expected).abs().max().double_value(&[]);
        assert!(error < 2e-5 * scale, "{name}: {error} of {scale}");
    }
}

#[test]
fn pixels_are_left_out_only_while_their_sum_is_negligible() {
    assert_eq!(live_pixels(&[0.0; 8]), [0_usize; 0]);
    assert_eq!(live_pixels(&[0.0, 0.5, -0.5, 1e-9]), [1, 2]);
    assert_eq!(live_pixels(&[1e-9, -1e-9]), [0, 1], "small is relative");
    assert_eq!(
        live_pixels(&[f32::NAN, 0.0, 1.0]),
        [0, 2],
        "a NaN is not hidden"
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        pool.build().unwrap().install(|| {
            let (_, mlp) = network(1);
            let frozen = mlp.freeze();
            let gradients = mlp.backward(&frozen, &INPUTS, &dense_dlogits());
            (frozen.logits(&INPUTS), gradients)
        })
    };
    assert_eq!(on(1), on(3));
}
