//! A function of tensors that is captured the first time it is called with a shape, where that is possible.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use super::Graph;
use crate::{Gradient, NnError};

/// Shapes that one function is captured for. Beyond that it is called as it is.
const MAX_GRAPHS: usize = 4;

/// libtorch registers graphs in a list without a lock, so one thread at a time captures.
static CAPTURING: Mutex<()> = Mutex::new(());

/// What a function of tensors is called through. On a GPU it then is one operation to start, else nothing changes.
///
/// The function must do the same whenever the inputs have the same shapes: start the same operations, on its inputs and on
/// tensors whose memory stays where it is (parameters do), and neither wait for the GPU nor look at what it has computed.
#[derive(Default)]
pub struct Captured {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// Whether it could not be captured.
    is_refused: bool,
}

/// The function for one set of shapes.
struct Entry {
    key: Vec<(Kind, Vec<i64>)>,
    graph: Graph,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

impl Captured {
    /// `function` of `inputs`. On a GPU the results stand in memory that the next call with the same shapes writes to.
    ///
    /// # Panics
    /// If the GPU fails, or `function` calls this.
    pub fn call(
        &self,
        inputs: &[Tensor],
        mut function: impl FnMut(&[Tensor]) -> Vec<Tensor>,
    ) -> Vec<Tensor> {
        let Some(Device::Cuda(device)) = inputs.first().map(Tensor::device) else {
            return function(inputs);
        };
        let State {
            entries,
            is_refused,
        } = &mut *self.state.borrow_mut();
        if *is_refused {
            return function(inputs);
        }
        let key: Vec<_> = inputs.iter().map(|x| (x.kind(), x.size())).collect();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.key == key) {
            return entry.call(inputs);
        }
        if entries.len() == MAX_GRAPHS {
            return function(inputs);
        }
        let Ok(mut entry) = Entry::capture(key, device, inputs, &mut function) else {
            // As it went before there were graphs; if the GPU itself has failed, this says so.
            *is_refused = true;
            return function(inputs);
        };
        let outputs = entry.call(inputs);
        entries.push(entry);
        outputs
    }

    /// The same for a function that gives gradients and something else.
    ///
    /// # Panics
    /// As [`Self::call`].
    pub fn call_for_gradients(
        &self,
        inputs: &[Tensor],
        mut function: impl FnMut(&[Tensor]) -> (Vec<Gradient>, Tensor),
    ) -> (Vec<Gradient>, Tensor) {
        if inputs.iter().all(|input| input.device() == Device::Cpu) {
            return function(inputs);
        }
        let mut outputs = self.call(inputs, |inputs| {
            let (grads, other) = function(inputs);
            let grads = grads.iter().map(Gradient::whole);
            grads.chain([other]).collect()
        });
        let other = outputs.pop().expect("what was put there");
        (outputs.into_iter().map(Gradient::from).collect(), other)
    }

    /// For how many sets of shapes the function is captured.
    pub fn n_graphs(&self) -> usize {
        self.state.borrow().entries.len()
    }
}

impl Entry {
    fn capture(
        key: Vec<(Kind, Vec<i64>)>,
        device: usize,
        inputs: &[Tensor],
        function: &mut impl FnMut(&[Tensor]) -> Vec<Tensor>,
    ) -> Result<Self, NnError> {
        let device = i8::try_from(device).map_err(|error| NnError::CudaGraph {
            cause: error.to_string(),
        })?;
        let inputs: Vec<Tensor> = inputs.iter().map(Tensor::copy).collect();
        let _alone = CAPTURING.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = || Graph::capture(device, || function(&inputs));
        // tch panics where an operation fails.
        let (graph, outputs) = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
            Err(NnError::CudaGraph {
                cause: "an operation failed while it was captured".to_owned(),
            })
        })?;
        Ok(Self {
            key,
            graph,
            inputs,
            outputs,
        })
    }

    fn call(&mut self, inputs: &[Tensor]) -> Vec<Tensor> {
        tch::no_grad(|| {
            for (own, given) in self.inputs.iter_mut().zip(inputs) {
                own.copy_(given);
            }
        });
        self.graph
            .replay()
            .expect("a graph that was captured can be started");
        self.outputs.iter().map(Tensor::shallow_clone).collect()
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("n_graphs", &self.n_graphs())
            .field("is_refused", &self.state.borrow().is_refused)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_cpu_the_function_is_called_as_it_is() {
        let captured = Captured::default();
        let double = |x: f32| {
            let outputs =
                captured.call(&[Tensor::from_slice(&[x])], |inputs| vec![&inputs[0] * 2.0]);
            outputs[0].double_value(&[0])
        };
        assert!((double(1.5) - 3.0).abs() < 1e-9);
        assert!((double(-4.0) + 8.0).abs() < 1e-9);
        assert_eq!(captured.n_graphs(), 0);
    }

    /// Whatever is lacking, the library or the GPU: it comes back as an error, not as an exception that ends the process.
    #[test]
    fn without_a_gpu_a_capture_is_an_error() {
        if !tch::Cuda::is_available() {
            let error = Graph::capture(0, || ()).err().unwrap().to_string();
            assert!(
                error.starts_with("a CUDA graph could not be captured or started: "),
                "{error}"
            );
        }
    }
}
