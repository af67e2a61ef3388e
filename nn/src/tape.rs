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
    /// If both have a last layer, or if they have other parts.
    pub fn append(&mut self, mut other: Self) {
        assert_eq!(self.part, other.part, "tapes of other parts");
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
            self.through_last(last, &mut found, leaves);
        }
        let features: Vec<Tensor> = self.convs.iter().map(winograd::Pass::features).collect();
        if let Some(inward) = self.through_hidden(&features, &mut found, leaves) {
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

    fn through_last(&self, last: &linear::Pass, found: &mut Found, leaves: &[Tensor]) {
        let of_last = last.gradients(&found.outputs);
        let mut hidden = self.hidden.iter().zip(&mut found.hidden);
        let before = hidden.find(|(pass, _)| is_same(pass.y(), last.x()));
        let (_, of_hidden) = before.expect("it was recorded after it");
        add_to(of_hidden, of_last.x);
        let [weight, bias] = last.params();
        add_of(&mut found.leaves, leaves, weight, of_last.weight.into());
        add_of(&mut found.leaves, leaves, bias, of_last.bias.into());
    }

    /// Gives something whose gradient with respect to what went into the layers is theirs, where that was something else than features.
    fn through_hidden(
        &self,
        features: &[Tensor],
        found: &mut Found,
        leaves: &[Tensor],
    ) -> Option<Tensor> {
        let mut inward: Option<Tensor> = None;
        for (pass, dy) in self.hidden.iter().zip(&found.hidden) {
            if !dy.defined() {
                continue;
            }
            let of_pass = pass.gradients(dy);
            let [weight, bias] = pass.params();
            add_of(&mut found.leaves, leaves, weight, of_pass.weight.into());
            add_of(&mut found.leaves, leaves, bias, of_pass.bias.into());
            let mut convs = features.iter().zip(&mut found.features);
            if let Some((_, of_features)) = convs.find(|(features, _)| is_same(features, pass.x()))
            {
                add_to(of_features, of_pass.x);
            } else if pass.x().requires_grad() {
                let product = pass.x().flatten(0, -1).dot(&of_pass.x.flatten(0, -1));
                inward = Some(inward.map_or_else(|| product.shallow_clone(), |sum| sum + &product));
            }
        }
        inward
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

/// The same, but what a kernel of ours leaves as a product is not multiplied yet: [`crate::optim::summed`] or the optimizer does it.
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

/// Whether two tensors are handles of the same numbers.
fn is_same(a: &Tensor, b: &Tensor) -> bool {
    a.data_ptr() == b.data_ptr() && a.size() == b.size()
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
mod tests;
