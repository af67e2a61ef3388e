//! From a loss to the gradients of the parameters, through libtorch's graph and through kernels of ours, which have none.
//!
//! ```text
//! obs -> convolutions -> features -> fully connected, ReLU -> hidden -> heads -> loss
//!          `direct`       a leaf          `dense`             a leaf      libtorch
//! ```
//!
//! What a kernel gives is a leaf of libtorch's graph, and the [`Tape`] knows how to go on from its gradient. Each kernel sees for itself whether it
//! applies: f32, a CPU with AVX-512, for convolutions stacks of four frames, for a fully connected layer sizes in whole tiles. Where
//! libtorch computes instead, its graph leads on, and the tape is empty or holds the other part only.

use tch::{Device, Kind, Tensor};

use crate::one_piece::laid_out;
use crate::slices::is_dense;
use crate::{Gradient, dense, direct};

/// What kernels have done on the way to a loss. The parameters must stand still until its gradient.
#[derive(Debug, Default)]
pub struct Tape {
    convs: Vec<direct::Pass>,
    hidden: Vec<dense::Pass>,
}

impl Tape {
    /// Takes over what is on another tape, after its own. The order of passes is that of sums.
    pub fn append(&mut self, mut other: Self) {
        self.convs.append(&mut other.convs);
        self.hidden.append(&mut other.hidden);
    }

    /// Keeps a pass through convolutions. Gives its features as a leaf.
    pub(crate) fn record_convs(&mut self, pass: direct::Pass) -> Tensor {
        let features = pass.features().set_requires_grad(true);
        self.convs.push(pass);
        features
    }

    /// Keeps a pass through a fully connected layer. Gives its result as a leaf.
    ///
    /// # Panics
    /// If what goes in is the result of another such layer on the tape: no network here has two in a row.
    pub(crate) fn record_hidden(&mut self, pass: dense::Pass) -> Tensor {
        let is_input = |before: &dense::Pass| before.y().data_ptr() == pass.x().data_ptr();
        assert!(!self.hidden.iter().any(is_input), "two layers in a row");
        let hidden = pass.y().set_requires_grad(true);
        self.hidden.push(pass);
        hidden
    }

    /// The gradients of the hidden layers' parameters, each with its parameter, from those of what came out of them; and something
    /// whose gradient with respect to what went in is theirs, if that requires one.
    fn through_hidden(&self, dys: &[Tensor]) -> (Vec<(Tensor, Gradient)>, Option<Tensor>) {
        let (mut grads, mut inward) = (Vec::new(), None);
        for (pass, dy) in self.hidden.iter().zip(dys) {
            if !dy.defined() {
                continue;
            }
            let of_pass = pass.gradients(dy);
            let [weight, bias] = pass.params().map(Tensor::shallow_clone);
            grads.extend([(weight, of_pass.weight.into()), (bias, of_pass.bias.into())]);
            if pass.x().requires_grad() {
                let product = pass.x().flatten(0, -1).dot(&of_pass.x.flatten(0, -1));
                inward = Some(inward.map_or_else(|| product.shallow_clone(), |sum| sum + &product));
            }
        }
        (grads, inward)
    }
}

/// The gradients of a loss with respect to [`crate::Params::leaves`], in f32; on a GPU side by side in memory. What does not
/// enter the loss has one that is not defined. `tape` is that of all passes that the loss came from.
///
/// # Panics
/// If the tape is that of a network whose parameters are not among the leaves, or of several.
pub fn gradients(loss: &Tensor, leaves: &[Tensor], tape: Tape) -> Vec<Tensor> {
    let grads = unmultiplied_gradients(loss, leaves, tape);
    grads.iter().map(Gradient::whole).collect()
}

/// The same, but what a kernel of ours leaves as a product is not multiplied yet: [`crate::optim::summed`] does it.
///
/// # Panics
/// As [`gradients`].
pub fn unmultiplied_gradients(loss: &Tensor, leaves: &[Tensor], tape: Tape) -> Vec<Gradient> {
    let grads = through_everything(loss, leaves, &tape);
    drop(tape); // its activations are large
    if loss.device() == Device::Cpu {
        return grads;
    }
    let grads: Vec<Tensor> = grads.iter().map(Gradient::whole).collect();
    let lie_well = |grad: &Tensor| grad.defined() && is_dense(grad);
    let placed = if grads.iter().all(lie_well) {
        laid_out(&grads)
    } else {
        grads
    };
    placed.into_iter().map(Gradient::from).collect()
}

/// From the loss to the last leaves, from there through the tape's hidden layers, to whatever came before those, and at
/// last through the tape's convolutions.
fn through_everything(loss: &Tensor, leaves: &[Tensor], tape: &Tape) -> Vec<Gradient> {
    let clones =
        |tensors: &[Tensor]| -> Vec<Tensor> { tensors.iter().map(Tensor::shallow_clone).collect() };
    let features: Vec<Tensor> = tape.convs.iter().map(direct::Pass::features).collect();
    let mut inputs = clones(leaves);
    inputs.extend(clones(&features));
    let n_inputs = inputs.len();
    inputs.extend(tape.hidden.iter().map(|pass| pass.y().shallow_clone()));
    let mut grads = Tensor::run_backward(&[loss], &inputs, false, false);

    let of_hidden = grads.split_off(n_inputs);
    let (of_layers, inward) = tape.through_hidden(&of_hidden);
    if let Some(inward) = inward {
        let more = Tensor::run_backward(&[inward], &inputs[..n_inputs], false, false);
        for (grad, more) in grads.iter_mut().zip(more) {
            add_to(grad, more);
        }
    }
    let of_features = grads.split_off(leaves.len());
    let in_f32 = |grad: Tensor| {
        if grad.defined() {
            grad.to_kind(Kind::Float)
        } else {
            grad
        }
    };
    let mut grads: Vec<Gradient> = grads.into_iter().map(|grad| in_f32(grad).into()).collect();
    let of_convs = direct::gradients(&tape.convs, &of_features).into_iter();
    let of_convs = of_convs.map(|(param, of_param)| (param, of_param.into()));
    for (param, of_param) in of_layers.into_iter().chain(of_convs) {
        let own = |leaf: &Tensor| leaf.data_ptr() == param.data_ptr();
        let place = leaves.iter().position(own);
        grads[place.expect("the tape is that of these parameters")].add(of_param);
    }
    grads
}

/// Adds a gradient to another one, of which either may be none.
fn add_to(grad: &mut Tensor, more: Tensor) {
    if !grad.defined() {
        *grad = more;
    } else if more.defined() {
        let _ = grad.g_add_(&more);
    }
}

/// Whether what is computed from a parameter remembers how. tch does not say; a view would always claim so.
pub(crate) fn graph_is_drawn(param: &Tensor) -> bool {
    param.neg().requires_grad()
}

#[cfg(test)]
mod tests {
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
}
