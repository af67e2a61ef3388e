//! What the networks cost on one thread of this machine: `cargo run --release -p rlrun-toys --example networks`.
//!
//! Prints the fastest and the median of many forward and backward passes, and the products and sums per second that the
//! fastest one comes to (those of the definition: zeros that a formulation adds do not count). glibc gives large blocks back
//! to the system unless told otherwise, which costs up to half of the time: set `MALLOC_MMAP_THRESHOLD_=33554432` and
//! `MALLOC_TRIM_THRESHOLD_=1099511627776`, as rlrun itself does.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::Instant;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rlrun_nn::Params;
use rlrun_toys::layers::Mode;
use rlrun_toys::nets::{CoordRegressor, DeconvPainter};
use rlrun_toys::not_so_clevr::{Location, examples};
use tch::{Device, Kind, Tensor};

const N_CALLS: usize = 40;

fn main() {
    tch::set_num_threads(1);
    for (filter, width) in [(2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)] {
        for batch in [16, 32] {
            deconv_painter(filter, width, batch);
        }
    }
    coord_regressor(256);
}

fn deconv_painter(filter: i64, width: i64, batch: usize) {
    let mut params = Params::new(Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let net = DeconvPainter::new(&mut params, width, filter, &mut rng);
    let locations = locations(batch);
    let numbers: Vec<f32> = locations
        .iter()
        .flat_map(|l| [f32::from(l.x), f32::from(l.y)])
        .collect();
    let xy = Tensor::from_slice(&numbers).view([-1, 2]);
    let targets = targets(&locations);
    let (fastest, median) = measure(|| {
        let loss = net
            .forward(&xy, Mode::Train)
            .cross_entropy_for_logits(&targets);
        let _ = Tensor::run_backward(&[loss], &params.tensors(), false, false);
    });
    let giga =
        1e-6 * f64::from(u32::try_from(batch).unwrap_or(u32::MAX)) * kilo_flop(filter, width)
            / fastest;
    println!(
        "deconv painter, filter {filter}, width {width}, batch {batch}: {:.2} ms (median {:.2}), {giga:.0} GFLOP/s",
        1e3 * fastest,
        1e3 * median
    );
}

/// Products and sums of a forward and a backward pass of one example, in thousands.
fn kilo_flop(filter: i64, width: i64) -> f64 {
    let channels = [
        2,
        64 * width,
        64 * width,
        64 * width,
        32 * width,
        32 * width,
        1,
    ];
    let macs: i64 = (0..)
        .zip(channels.windows(2))
        .map(|(layer, pair)| (1 << (2 * layer)) * pair[0] * pair[1] * filter * filter)
        .sum();
    f64::from(i32::try_from(macs).unwrap_or(i32::MAX)) * 6.0 * 1e-3
}

fn coord_regressor(batch: usize) {
    let mut params = Params::new(Device::Cpu);
    let net = CoordRegressor::new(&mut params, &mut ChaCha8Rng::seed_from_u64(1));
    let locations = locations(batch);
    let (fastest, median) = measure(|| {
        let loss = net.forward(&locations).square().mean(Kind::Float);
        let _ = Tensor::run_backward(&[loss], &params.tensors(), false, false);
    });
    println!(
        "coord regressor, batch {batch}: {:.2} ms (median {:.2})",
        1e3 * fastest,
        1e3 * median
    );
}

fn locations(batch: usize) -> Vec<Location> {
    examples().into_iter().step_by(7).take(batch).collect()
}

fn targets(locations: &[Location]) -> Tensor {
    let pixels = locations.iter().map(|l| i64::try_from(l.pixel()));
    let pixels: Vec<i64> = pixels.map(|p| p.expect("a pixel of the canvas")).collect();
    Tensor::from_slice(&pixels)
}

/// The fastest and the median call, seconds.
fn measure(mut call: impl FnMut()) -> (f64, f64) {
    (0..3).for_each(|_| call());
    let mut seconds: Vec<f64> = (0..N_CALLS)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    (seconds[0], seconds[N_CALLS / 2])
}
