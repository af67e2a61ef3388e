//! From a loss to the gradients of the parameters, through libtorch's graph and through kernels of ours, which have none.
//!
//! ```text
//! obs -> convolutions -> features -> fully connected, ReLU -> hidden -> last layer -> outputs -> loss
//!         `winograd`      a leaf          `dense`             a leaf     `Linear`      a leaf
//! ```
//!
//! What a kernel gives is a leaf of libtorch's graph, and the [`Tape`] knows how to go on from its gradient. Each kernel sees for itself whether it
//! applies: f32, a CPU with AVX-512, for convolutions stacks of four frames, for a fully connected layer sizes in whole tiles. Where
//! libtorch computes instead, its graph leads on, and the tape is empty or holds the other part only.

use tch::{Device, Kind, Tensor};

use crate::one_piece::laid_out;
use crate::slices::is_dense;
use crate::{Gradient, dense, linear, winograd};

/// What kernels have done on the way to a loss. The parameters must stand still until its gradient.
#[derive(Debug, Default)]
pub struct Tape {
    /// Images whose gradients are summed by themselves first.
    part: Option<usize>,
    convs: Vec<winograd::Pass>,
    hidden: Vec<dense::Pass>,
    last: Option<linear::Pass>,
}

/// Gradients on the way back, each perhaps not defined.
struct Found {
    /// Of the parameters.
    leaves: Vec<Gradient>,
    /// Of what each of the tape's passes through convolutions gave.
    features: Vec<Tensor>,
    /// Of what each of its passes through hidden layers gave.
    hidden: Vec<Tensor>,
    /// Of what the last layer gave.
    outputs: Tensor,
}

impl Tape {
    /// A tape whose gradients the threads of a rayon pool share out, the convolutions' in parts of so many images. How sums are rounded depends on the
    /// parts, not on the threads.
    ///
    /// # Panics
    /// If a part has no images.
    pub fn in_parts(part: usize) -> Self {
        assert!(part > 0, "parts of no images");
        Self {
            part: Some(part),
            ..Self::default()
        }
    }

    /// Takes over what is on another tape, after its own. The order of passes is that of sums.
    ///
    /// # Panics
    /// If both have a last layer.
    pub fn append(&mut self, mut other: Self) {
        self.convs.append(&mut other.convs);
        self.hidden.append(&mut other.hidden);
        if let Some(last) = other.last {
            self.end_with(last);
        }
    }

    /// Keeps a pass through convolutions. Gives its features as a leaf.
    pub(crate) fn record_convs(&mut self, pass: winograd::Pass) -> Tensor {
        let features = pass.features().set_requires_grad(true);
        self.convs.push(pass);
        features
    }

    /// Keeps a pass through a fully connected layer. Gives its result as a leaf.
    ///
    /// # Panics
    /// If what goes in is the result of another such layer on the tape: no network here has two in a row.
    pub(crate) fn record_hidden(&mut self, pass: dense::Pass) -> Tensor {
        assert!(!self.knows_hidden(pass.x()), "two layers in a row");
        let hidden = pass.y().set_requires_grad(true);
        self.hidden.push(pass);
        hidden
    }

    /// Keeps the pass through a network's last layer. Gives its result as a leaf.
    ///
    /// # Panics
    /// If there was one already, or if what goes in is not the result of a hidden layer on the tape.
    pub(crate) fn record_last(&mut self, pass: linear::Pass) -> Tensor {
        assert!(
            self.knows_hidden(pass.x()),
            "a last layer on something else"
        );
        let outputs = pass.y().set_requires_grad(true);
        self.end_with(pass);
        outputs
    }

    fn end_with(&mut self, last: linear::Pass) {
        let before = self.last.replace(last);
        assert!(before.is_none(), "two last layers");
    }

    /// Whether `x` is the result of a hidden layer on the tape.
    pub(crate) fn knows_hidden(&self, x: &Tensor) -> bool {
        self.hidden.iter().any(|pass| is_same(pass.y(), x))
    }

    /// Nothing found yet.
    fn begin(&self, leaves: &[Tensor]) -> Found {
        let none = |n| -> Vec<Tensor> { (0..n).map(|_| Tensor::new()).collect() };
        Found {
            leaves: none(leaves.len()).into_iter().map(Gradient::from).collect(),
            features: none(self.convs.len()),
            hidden: none(self.hidden.len()),
            outputs: Tensor::new(),
        }
    }

    /// What libtorch's graph gives: from a loss to the leaves nearest to it.
    fn through_graph(&self, loss: &Tensor, leaves: &[Tensor]) -> Found {
        let features: Vec<Tensor> = self.convs.iter().map(winograd::Pass::features).collect();
        let hidden = self.hidden.iter().map(dense::Pass::y);
        let outputs = self.last.iter().map(linear::Pass::y);
        let inputs = leaves.iter().chain(&features).chain(hidden).chain(outputs);
        let inputs: Vec<Tensor> = inputs.map(Tensor::shallow_clone).collect();
        let mut grads = Tensor::run_backward(&[loss], &inputs, false, false).into_iter();
        let mut found = self.begin(leaves);
        for (leaf, grad) in found.leaves.iter_mut().zip(&mut grads) {
            *leaf = in_f32(grad).into();
        }
        let others = found.features.iter_mut().chain(&mut found.hidden);
        for (place, grad) in others.chain([&mut found.outputs]).zip(grads) {
            *place = grad;
        }
        found
    }

    /// Goes on through the last layer, the hidden layers, whatever came before those, and the convolutions.
    fn through_layers(&self, mut found: Found, leaves: &[Tensor]) -> Vec<Gradient> {
        if let Some(last) = self.last.as_ref().filter(|_| found.outputs.defined()) {
            let of_last = last.gradients(&found.outputs);
            let place = self
                .hidden
                .iter()
                .position(|pass| is_same(pass.y(), last.x()));
            let place = place.expect("it was recorded after it");
            add_to(&mut found.hidden[place], of_last.x);
            let [weight, bias] = last.params();
            add_of(&mut found.leaves, leaves, weight, of_last.weight.into());
            add_of(&mut found.leaves, leaves, bias, of_last.bias.into());
        }
        let features: Vec<Tensor> = self.convs.iter().map(winograd::Pass::features).collect();
        let mut inward: Option<Tensor> = None;
        for (pass, dy) in self.hidden.iter().zip(&found.hidden) {
            if !dy.defined() {
                continue;
            }
            let of_pass = pass.gradients(dy);
            let [weight, bias] = pass.params();
            add_of(&mut found.leaves, leaves, weight, of_pass.weight.into());
            add_of(&mut found.leaves, leaves, bias, of_pass.bias.into());
            if let Some(place) = features
                .iter()
                .position(|features| is_same(features, pass.x()))
            {
                add_to(&mut found.features[place], of_pass.x);
            } else if pass.x().requires_grad() {
                // Something whose gradient with respect to what went in is that of the pass.
                let product = pass.x().flatten(0, -1).dot(&of_pass.x.flatten(0, -1));
                inward = Some(inward.map_or_else(|| product.shallow_clone(), |sum| sum + &product));
            }
        }
        if let Some(inward) = inward {
            let inputs = leaves.iter().chain(&features).map(Tensor::shallow_clone);
            let inputs: Vec<Tensor> = inputs.collect();
            let mut more = Tensor::run_backward(&[inward], &inputs, false, false).into_iter();
            for (leaf, more) in found.leaves.iter_mut().zip(&mut more) {
                leaf.add(in_f32(more).into());
            }
            for (features, more) in found.features.iter_mut().zip(more) {
                add_to(features, more);
            }
        }
        for (param, grad) in winograd::gradients(&self.convs, &found.features, self.part) {
            add_of(&mut found.leaves, leaves, &param, grad.into());
        }
        found.leaves
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
    let grads = tape.through_layers(tape.through_graph(loss, leaves), leaves);
    drop(tape); // its activations are large
    side_by_side(grads, loss.device())
}

/// The same from the gradient of a network's outputs, whatever the loss. Where the tape knows all layers, libtorch has nothing to do.
///
/// # Shapes
/// `outputs`, `doutputs` the same
///
/// # Panics
/// As [`gradients`].
pub fn gradients_from(
    outputs: &Tensor,
    doutputs: &Tensor,
    leaves: &[Tensor],
    tape: Tape,
) -> Vec<Gradient> {
    let is_last = |last: &linear::Pass| is_same(last.y(), outputs);
    if !tape.last.as_ref().is_some_and(is_last) {
        let loss = (outputs * doutputs).sum(Kind::Float); // its gradient is `doutputs`
        return unmultiplied_gradients(&loss, leaves, tape);
    }
    let found = Found {
        outputs: doutputs.shallow_clone(),
        ..tape.begin(leaves)
    };
    let grads = tape.through_layers(found, leaves);
    drop(tape); // its activations are large
    side_by_side(grads, outputs.device())
}

/// Gradients as they are, on a GPU side by side in memory.
fn side_by_side(grads: Vec<Gradient>, device: Device) -> Vec<Gradient> {
    if device == Device::Cpu {
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

/// Adds to the gradient of `param`, which is one of the leaves.
fn add_of(grads: &mut [Gradient], leaves: &[Tensor], param: &Tensor, grad: Gradient) {
    let place = leaves.iter().position(|leaf| is_same(leaf, param));
    grads[place.expect("the tape is that of these parameters")].add(grad);
}

/// Whether two tensors are in the same place.
fn is_same(a: &Tensor, b: &Tensor) -> bool {
    a.data_ptr() == b.data_ptr()
}

fn in_f32(grad: Tensor) -> Tensor {
    if grad.defined() {
        grad.to_kind(Kind::Float)
    } else {
        grad
    }
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
                for ((name, param), (got, expected)) in params.iter().zip(got.iter().zip(&expected))
                {
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
}
