//! CUDA devices, found without making those who have none wait.
//!
//! The linker leaves libtorch's CUDA library out of the binary, since nothing in it is named there: loading its gigabyte would
//! double the time to start. It registers itself when it is loaded, so it is loaded by name where a driver is found, before
//! libtorch is first asked about CUDA (it asks only once).

use std::ffi::CStr;

/// CUDA devices that libtorch finds.
pub(super) fn n_devices() -> usize {
    if !(load(c"libcuda.so.1") && load(c"libtorch_cuda.so") && tch::Cuda::is_available()) {
        return 0;
    }
    usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
}

/// Loads a library for the rest of the process, and says whether that went well.
#[cfg(target_os = "linux")]
fn load(library: &CStr) -> bool {
    #[expect(
        unsafe_code,
        reason = "a library is loaded by name through a C function"
    )]
    // SAFETY: the name ends in NUL; the libraries named here are made to be loaded by any thread at any time.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    !handle.is_null()
}

/// libtorch has CUDA on Linux only, as far as rlrun goes.
#[cfg(not(target_os = "linux"))]
fn load(_library: &CStr) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rlrun_nn::init::Init;
    use rlrun_nn::{
        Captured, CoordLayers, ObsShape, Params, QHead, QNetwork, QNetworkConfig, Tape,
        TorsoConfig, TorsoKind, gradients,
    };
    use tch::{Device, Kind, Tensor};

    use super::*;

    const GPU: Device = Device::Cuda(0);

    fn has_gpu() -> bool {
        let has_one = n_devices() > 0;
        if !has_one {
            eprintln!("SKIPPED: no CUDA device to compute on");
        }
        has_one
    }

    #[test]
    fn libtorchs_cuda_library_loads_where_it_is_installed() {
        let lib = option_env!("LIBTORCH").map(|dir| format!("{dir}/lib/libtorch_cuda.so"));
        if !lib.is_some_and(|lib| std::path::Path::new(&lib).exists()) {
            eprintln!("SKIPPED: this libtorch is without CUDA");
            return;
        }
        assert!(load(c"libtorch_cuda.so"));
        if !has_gpu() {
            return;
        }
        let sum = Tensor::ones([3], (Kind::Float, GPU)).sum(Kind::Float);
        assert!((sum.double_value(&[]) - 3.0).abs() < 1e-6);
    }

    #[test]
    fn observations_arrive_on_a_gpu_as_they_were_when_they_were_sent() {
        if !has_gpu() {
            return;
        }
        let shape = ObsShape::Frames([4, 84, 84]);
        let n_bytes = 256 * shape.n_bytes();
        let mut bytes = vec![0_u8; n_bytes];
        for round in 0..20_u8 {
            bytes.fill(round);
            bytes[n_bytes - 1] = 255;
            let there = shape.tensor(&bytes, GPU);
            // The buffer is used again while the bytes travel.
            bytes.fill(99);
            assert_eq!(there.size(), [256, 4, 84, 84]);
            let expected = i64::from(round) * i64::try_from(n_bytes - 1).unwrap() + 255;
            assert_eq!(there.sum(Kind::Int64).int64_value(&[]), expected);
        }
    }

    /// Forward and backward through a network whose parameters change in between, for two sizes of a batch. cuDNN sums in varying order,
    /// with factors of 11 significant bits.
    #[test]
    fn what_was_captured_computes_what_it_was_captured_from() {
        if !has_gpu() {
            return;
        }
        let config = QNetworkConfig {
            torso: TorsoConfig {
                kind: TorsoKind::CoordConv,
                coord_layers: CoordLayers::First,
                coord_radius: false,
            },
            obs_shape: ObsShape::Frames([4, 84, 84]),
            n_actions: 6,
            head: QHead::Dueling,
            init: Init::Torch,
        };
        let mut params = Params::new(GPU);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let network = QNetwork::new(&mut params, &config, &mut rng).unwrap();
        let leaves = params.leaves();
        let learn = |inputs: &[Tensor]| {
            let q = network.forward(&inputs[0]);
            let loss = (&q - &inputs[1]).square().sum(Kind::Float);
            let mut outputs = gradients(&loss, &leaves, Tape::default());
            outputs.push(q.detach());
            outputs
        };
        let captured = Captured::default();
        for round in 0..20_i64 {
            let n = if round % 5 == 4 { 8 } else { 32 };
            let pixels = Tensor::randint(256, [n, 4, 84, 84], (Kind::Uint8, GPU));
            let inputs = [pixels, Tensor::randn([n, 6], (Kind::Float, GPU))];
            let got = captured.call(&inputs, learn);
            for (idx, (got, expected)) in got.iter().zip(learn(&inputs)).enumerate() {
                let scale = expected.abs().max().double_value(&[]);
                let difference = (got - &expected).abs().max().double_value(&[]) / scale;
                assert!(
                    difference < 1e-3,
                    "round {round}, output {idx}: {difference}"
                );
            }
            tch::no_grad(|| {
                for (leaf, grad) in leaves.iter().zip(&got) {
                    let _ = leaf.shallow_clone().g_sub_(&(grad * 1e-6));
                }
            });
        }
        assert_eq!(captured.n_graphs(), 2, "one for each size");
    }
}
