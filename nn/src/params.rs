//! The trainable tensors of a network: named, and in the order in which the layers were built. That order is the order of
//! gradients, of optimizer state and of checkpoints.

use std::borrow::Borrow;

use tch::{Device, Kind, Tensor};

use crate::one_piece::laid_out;
use crate::{Compute, NnError};

/// Ordered, named parameters on one device.
#[derive(Debug)]
pub struct Params {
    compute: Compute,
    entries: Vec<(String, Tensor)>,
    /// Of each the copy that its layer computes with, where that is less exact.
    rounded: Vec<Option<Tensor>>,
}

impl Params {
    /// No parameters yet; those added will live and be computed with as `compute` says. A [`Device`] alone means in f32.
    pub fn new(compute: impl Into<Compute>) -> Self {
        Self {
            compute: compute.into(),
            entries: Vec::new(),
            rounded: Vec::new(),
        }
    }

    /// Takes `value` as a new parameter: an f32 leaf on this device that requires its gradient, in the memory order that
    /// `value` has. Returns a second handle of the same memory, for the layer.
    ///
    /// # Panics
    /// If the name is taken: two layers were given one name.
    pub fn add(&mut self, name: impl Into<String>, value: impl Borrow<Tensor>) -> Tensor {
        let name = name.into();
        assert!(
            self.entries.iter().all(|(taken, _)| *taken != name),
            "two parameters are named {name:?}"
        );
        let leaf = value
            .borrow()
            .detach()
            .to_kind(Kind::Float)
            .to_device(self.compute.device)
            .copy()
            .set_requires_grad(true);
        self.entries.push((name, leaf.shallow_clone()));
        self.rounded.push(None);
        leaf
    }

    /// The same for a hidden layer. Returns what the layer computes with: the parameter, or a rounded copy of it where hidden layers
    /// compute in less than f32 ([`crate::Precision`]).
    ///
    /// # Panics
    /// As [`Self::add`].
    pub fn add_hidden(&mut self, name: impl Into<String>, value: impl Borrow<Tensor>) -> Tensor {
        let leaf = self.add(name, value);
        let kind = self.compute.precision.kind();
        if kind == Kind::Float {
            return leaf;
        }
        let copy = leaf.detach().to_kind(kind).set_requires_grad(true);
        *self.rounded.last_mut().expect("one was added") = Some(copy.shallow_clone());
        copy
    }

    /// The parameters with their names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.entries
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Handles of all parameters, in order.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.entries
            .iter()
            .map(|(_, t)| t.shallow_clone())
            .collect()
    }

    /// Handles of what the layers compute with, in order: the parameters or their rounded copies. [`crate::gradients`] are taken with
    /// respect to these.
    pub fn leaves(&self) -> Vec<Tensor> {
        let pairs = self.entries.iter().zip(&self.rounded);
        pairs
            .map(|((_, exact), rounded)| rounded.as_ref().unwrap_or(exact).shallow_clone())
            .collect()
    }

    /// Makes the rounded copies anew, after the parameters have changed. [`Self::load`] and the optimizers do it themselves.
    pub fn round(&self) {
        tch::no_grad(|| {
            for ((_, exact), rounded) in self.entries.iter().zip(&self.rounded) {
                if let Some(rounded) = rounded {
                    rounded.shallow_clone().copy_(exact);
                }
            }
        });
    }

    /// Moves the parameters into one piece of memory, in order; all handles go along. For a GPU, where what concerns all of
    /// them is one operation then. On a CPU it would only make them lie worse.
    pub fn lay_out(&mut self) {
        let places = tch::no_grad(|| laid_out(&self.tensors()));
        for ((_, tensor), place) in self.entries.iter_mut().zip(places) {
            tensor.set_data(&place);
        }
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many numbers there are in all.
    pub fn n_elements(&self) -> usize {
        self.entries.iter().map(|(_, tensor)| tensor.numel()).sum()
    }

    /// The device that holds them.
    pub fn device(&self) -> Device {
        self.compute.device
    }

    /// Where and how exactly they are computed with.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// Copies saved values into the parameters, in place, so that every layer sees them. All are checked before any is
    /// changed.
    ///
    /// # Errors
    /// If the names, their order or a shape differ.
    pub fn load(&mut self, saved: &[(String, Tensor)]) -> Result<(), NnError> {
        load_tensors(&mut self.entries, saved)?;
        self.round();
        Ok(())
    }
}

/// Copies `saved` into `entries` in place, after every name and shape was found equal.
pub(crate) fn load_tensors(
    entries: &mut [(String, Tensor)],
    saved: &[(String, Tensor)],
) -> Result<(), NnError> {
    if entries.len() != saved.len() {
        return Err(NnError::TensorCount {
            expected: entries.len(),
            got: saved.len(),
        });
    }
    for ((name, tensor), (saved_name, saved_tensor)) in entries.iter().zip(saved) {
        if name != saved_name {
            return Err(NnError::TensorName {
                expected: name.clone(),
                got: saved_name.clone(),
            });
        }
        if tensor.size() != saved_tensor.size() {
            return Err(NnError::TensorShape {
                name: name.clone(),
                expected: tensor.size(),
                got: saved_tensor.size(),
            });
        }
    }
    tch::no_grad(|| {
        for ((_, tensor), (_, saved_tensor)) in entries.iter_mut().zip(saved) {
            tensor.copy_(saved_tensor);
        }
    });
    Ok(())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;
    use crate::{Tape, gradients};

    fn two() -> Params {
        let mut params = Params::new(Device::Cpu);
        let _ = params.add("w", Tensor::from_slice(&[1.0_f32, 2.0]));
        let _ = params.add("b", Tensor::from_slice(&[3.0_f64]));
        params
    }

    #[test]
    fn a_parameter_is_a_leaf_and_shares_its_memory_with_the_layer() {
        let mut params = Params::new(Device::Cpu);
        let source = Tensor::from_slice(&[1.0_f32, 2.0]);
        let mut layer = params.add("w", &source);
        assert!(layer.is_leaf() && layer.requires_grad());
        let _ = tch::no_grad(|| layer.fill_(7.0));
        let (name, kept) = params.iter().next().unwrap();
        assert_eq!((name, kept.double_value(&[1])), ("w", 7.0));
        assert_eq!(source.double_value(&[1]), 2.0, "the given tensor is copied");
    }

    #[test]
    fn parameters_in_one_piece_are_the_same_leaves() {
        let mut params = Params::new(Device::Cpu);
        let layer = params.add("w", Tensor::from_slice(&[1.0_f32, 2.0]));
        let _ = params.add("b", Tensor::from_slice(&[3.0_f32]));
        params.lay_out();
        let tensors = params.tensors();
        assert_eq!(
            layer.data_ptr(),
            tensors[0].data_ptr(),
            "the layer's handle"
        );
        assert_eq!(
            tensors[1].data_ptr().addr(),
            tensors[0].data_ptr().addr() + 8
        );
        assert!(layer.is_leaf() && layer.requires_grad());
        let grads = gradients(
            &(layer.square().sum(Kind::Float)),
            &params.leaves()[..1],
            Tape::default(),
        );
        assert_eq!(Vec::<f32>::try_from(&grads[0]).unwrap(), [2.0, 4.0]);
    }

    #[test]
    fn counts_and_converts_to_f32() {
        let params = two();
        assert_eq!((params.len(), params.n_elements()), (2, 3));
        assert!(params.iter().all(|(_, t)| t.kind() == Kind::Float));
    }

    #[test]
    fn load_restores_values_in_place() {
        let mut params = two();
        let handle = params.tensors().remove(0);
        let saved = vec![
            ("w".to_owned(), Tensor::from_slice(&[5.0_f32, 6.0])),
            ("b".to_owned(), Tensor::from_slice(&[8.0_f32])),
        ];
        params.load(&saved).unwrap();
        assert_eq!(handle.double_value(&[1]), 6.0);
        assert!(handle.requires_grad());
    }

    #[test]
    fn load_refuses_wrong_count_name_and_shape_and_changes_nothing() {
        let tensor = |n: i64| Tensor::zeros([n], (Kind::Float, Device::Cpu));
        let mut params = two();
        let cases: [(&[(&str, i64)], &str); 3] = [
            (&[("w", 2)], "expected 2 saved tensors, got 1"),
            (
                &[("w", 2), ("c", 1)],
                "expected the saved tensor \"b\", got \"c\"",
            ),
            (
                &[("w", 2), ("b", 4)],
                "saved tensor \"b\": expected shape [1], got [4]",
            ),
        ];
        for (saved, message) in cases {
            let saved: Vec<_> = saved
                .iter()
                .map(|&(name, n)| (name.to_owned(), tensor(n)))
                .collect();
            let error = params.load(&saved).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(params.tensors()[0].double_value(&[0]), 1.0);
        }
    }

    #[test]
    #[should_panic(expected = "two parameters are named \"w\"")]
    fn a_name_is_given_once() {
        let _ = two().add("w", Tensor::from(0.0));
    }
}
