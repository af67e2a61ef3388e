//! A station: someone who works on orders, one at a time.
//!
//! ```text
//!  learner                     station
//!  order(x) --bounded(1)-->    work(x)
//!  result() <--bounded(1)--    what came of it, or what went wrong
//! ```
//!
//! On a thread of its own it works while the learner does something else; without one it works when its result is asked for.
//! One order is out at a time, so no channel blocks a sender. A panic is an error with its message.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, Scope};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

/// Where a station works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a thread of its own.
    Elsewhere,
    /// On the thread that asks for the result.
    Here,
}

/// A station for orders `O` with results `R`.
pub(crate) enum Station<'scope, O, R> {
    /// With a thread, which ends when this is dropped.
    Elsewhere {
        /// Orders, one at a time.
        orders: Sender<O>,
        /// Their results.
        results: Receiver<Result<R>>,
    },
    /// Without one.
    Here {
        /// What is done with an order.
        work: Box<dyn FnMut(O) -> Result<R> + 'scope>,
        /// The order whose result was not asked for yet.
        due: Option<O>,
    },
}

impl<'scope, O: Send + 'scope, R: Send + 'scope> Station<'scope, O, R> {
    /// A station of this name that does `work`.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        name: &str,
        place: Place,
        mut work: impl FnMut(O) -> Result<R> + Send + 'scope,
    ) -> Result<Self> {
        if place == Place::Here {
            let (work, due) = (Box::new(work), None);
            return Ok(Self::Here { work, due });
        }
        let (orders, incoming) = bounded::<O>(1);
        let (outgoing, results) = bounded(1);
        let life = move || {
            // libtorch's own threads split every single operation and wait for each other after it.
            tch::set_num_threads(1);
            for order in incoming {
                let result = guarded(|| work(order));
                let has_failed = result.is_err();
                if outgoing.send(result).is_err() || has_failed {
                    break;
                }
            }
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, life)
            .with_context(|| format!("starting the thread {name}"))?;
        Ok(Self::Elsewhere { orders, results })
    }

    /// Gives an order; its result is to be asked for before the next.
    pub(crate) fn order(&mut self, order: O) {
        match self {
            // One that has failed no longer listens; its failure is its last result.
            Self::Elsewhere { orders, .. } => drop(orders.send(order)),
            Self::Here { due, .. } => *due = Some(order),
        }
    }

    /// The result of the last order.
    ///
    /// # Errors
    /// If the work failed, with its cause.
    pub(crate) fn result(&mut self) -> Result<R> {
        match self {
            Self::Elsewhere { results, .. } => results.recv().context("a thread is gone")?,
            Self::Here { work, due } => {
                let order = due.take().context("nothing was ordered")?;
                guarded(|| work(order))
            }
        }
    }
}

/// What worker `number` of `n` takes of so many rows or groups.
pub(crate) fn share(number: usize, n: usize, n_rows: usize) -> Range<usize> {
    number * n_rows / n..(number + 1) * n_rows / n
}

impl<O, R> Station<'_, O, R> {
    /// The result of the last order if it is there already; without a thread it always is.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub(crate) fn try_result(&mut self) -> Option<Result<R>> {
        match self {
            Self::Elsewhere { results, .. } => match results.try_recv() {
                Ok(result) => Some(result),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Err(anyhow!("a thread is gone"))),
            },
            Self::Here { work, due } => due.take().map(|order| guarded(|| work(order))),
        }
    }
}

/// Runs `work` and turns a panic into an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(anyhow!("panicked: {text}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The results of some orders, the last of which may fail.
    fn results(place: Place, orders: &[u32]) -> Vec<String> {
        thread::scope(|scope| {
            let mut sum = 0;
            let work = move |order: u32| {
                assert!(order != 13, "an unlucky number");
                sum += order;
                if sum > 100 {
                    return Err(anyhow!("too much"));
                }
                Ok(sum)
            };
            let mut station = Station::start(scope, "adder", place, work).unwrap();
            let answer = |&order: &u32| {
                station.order(order);
                station
                    .result()
                    .map_or_else(|error| error.to_string(), |sum| sum.to_string())
            };
            orders.iter().map(answer).collect()
        })
    }

    #[test]
    fn failures_and_panics_are_results_wherever_it_works() {
        for place in [Place::Elsewhere, Place::Here] {
            assert_eq!(results(place, &[1, 2, 98]), ["1", "3", "too much"]);
            assert_eq!(results(place, &[5, 13])[1], "panicked: an unlucky number");
        }
    }
}
