//! What the torso and the optimizer cost on this machine: `cargo run --release -p rlrun-nn --example layers`.
//!
//! Prints the median and the fastest of many calls, in milliseconds. The first number is what a busy machine gives, the
//! second what the code can do.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::Instant;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rlrun_nn::optim::{RmsPropTf, RmsPropTfConfig, Summed, clip_scale, summed};
use rlrun_nn::{
    ActorCritic, CoordLayers, Gradient, ObsShape, Params, Tape, TorsoConfig, TorsoKind,
    unmultiplied_gradients,
};
use tch::{Device, Kind, Tensor};

const N_CALLS: usize = 40;
const KINDS: [(&str, TorsoKind, CoordLayers); 3] = [
    ("conv", TorsoKind::Conv, CoordLayers::First),
    ("coordconv", TorsoKind::CoordConv, CoordLayers::First),
    (
        "coordconv, all layers",
        TorsoKind::CoordConv,
        CoordLayers::All,
    ),
];

/// A network with what it needs for an update.
struct Subject {
    name: &'static str,
    params: Params,
    net: ActorCritic,
    optimizer: RmsPropTf,
}

impl Subject {
    fn new((name, kind, coord_layers): (&'static str, TorsoKind, CoordLayers)) -> Self {
        let config = TorsoConfig {
            kind,
            coord_layers,
            coord_radius: false,
        };
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let net = ActorCritic::new(
            &mut params,
            &config,
            ObsShape::Frames([4, 84, 84]),
            9,
            &mut rng,
        )
        .expect("84x84 is large enough");
        let optimizer = RmsPropTf::new(
            RmsPropTfConfig {
                decay: 0.99,
                epsilon: 1e-5,
            },
            &params,
        );
        Self {
            name,
            params,
            net,
            optimizer,
        }
    }

    fn act(&self, obs: &Tensor) {
        let _outputs = tch::no_grad(|| self.net.forward(obs));
    }

    fn grads(&self, obs: &Tensor) -> Vec<Gradient> {
        let mut tape = Tape::default();
        let begun = self.net.begin(obs, &mut tape);
        let (logits, value) = self.net.finish(&begun, Some(&mut tape));
        let loss = logits.square().mean(Kind::Float) + value.square().mean(Kind::Float);
        unmultiplied_gradients(&loss, &self.params.leaves(), tape)
    }
}

fn main() {
    let start = Instant::now();
    let mut subjects = KINDS.map(Subject::new);
    println!(
        "building three networks: {:.0} ms",
        1e3 * start.elapsed().as_secs_f64()
    );
    for (n_threads, n_images) in [(1, 8), (1, 16), (2, 16)] {
        tch::set_num_threads(n_threads);
        let obs = frames(n_images);
        let calls = subjects.each_ref().map(|s| || s.act(&obs));
        report(
            "forward",
            n_images,
            n_threads,
            &subjects,
            time_in_turns(calls),
        );
    }
    for (n_threads, n_images) in [(1, 80), (2, 80)] {
        tch::set_num_threads(n_threads);
        let obs = frames(n_images);
        let calls = subjects.each_ref().map(|s| || drop(s.grads(&obs)));
        report(
            "forward + backward",
            n_images,
            n_threads,
            &subjects,
            time_in_turns(calls),
        );
    }
    tch::set_num_threads(1);
    let [subject, ..] = &mut subjects;
    let obs = frames(8);
    let [(median, fastest)] = time_in_turns([|| {
        let Summed { grads, norm } = summed(vec![subject.grads(&obs)]);
        let scale = clip_scale(norm, 0.5);
        subject
            .optimizer
            .step_scaled(&subject.params, &grads, 1e-9, scale);
    }]);
    println!("an update of 8 with clipped RMSProp, conv: {median:.2} (fastest {fastest:.2})");
}

fn frames(n_images: i64) -> Tensor {
    let n = n_images * 4 * 84 * 84;
    (Tensor::arange(n, (Kind::Int64, Device::Cpu)) * 7919)
        .remainder(256)
        .to_kind(Kind::Uint8)
        .view([n_images, 4, 84, 84])
}

/// The median and the fastest of `N_CALLS` of each, in milliseconds; the calls take turns, so that they share the machine's
/// moods.
fn time_in_turns<const N: usize>(mut calls: [impl FnMut(); N]) -> [(f64, f64); N] {
    let mut times = [(); N].map(|()| Vec::with_capacity(N_CALLS));
    for turn in 0..N_CALLS + 3 {
        for (call, times) in calls.iter_mut().zip(&mut times) {
            let start = Instant::now();
            call();
            if turn >= 3 {
                times.push(1e3 * start.elapsed().as_secs_f64());
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[0])
    })
}

fn report(what: &str, n_images: i64, n_threads: i32, subjects: &[Subject], times: [(f64, f64); 3]) {
    println!("{what}, batch {n_images}, {n_threads} thread(s)");
    for (subject, (median, fastest)) in subjects.iter().zip(times) {
        println!(
            "    {:<22} {median:6.2} (fastest {fastest:.2})",
            subject.name
        );
    }
}
