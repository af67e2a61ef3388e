//! Work that the threads of a rayon pool share out.

use rayon::prelude::*;

/// Whether this thread is one of a rayon pool. Elsewhere rayon would start a pool with all cores.
pub(crate) fn is_in_a_pool() -> bool {
    rayon::current_thread_index().is_some()
}

/// Does both, each on a thread of the rayon pool it is called in that is free, or one after the other outside of one. A thread that waits within one may do
/// the other meanwhile: each must say for itself whether it draws libtorch's graph ([`tch::with_grad`], [`tch::no_grad`]).
pub fn both<A: Send, B: Send>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    if is_in_a_pool() {
        rayon::join(a, b)
    } else {
        (a(), b())
    }
}

/// Does `work` with each item, on the threads of the rayon pool it is called in, one item at a time, whoever is free. Gives the results in
/// the order of the items. As with [`both`], a thread that waits here may do any other job of the pool meanwhile.
pub(crate) fn share_out<I: Send, T: Send>(
    items: Vec<I>,
    work: impl Fn(I) -> T + Send + Sync,
) -> Vec<T> {
    if is_in_a_pool() {
        let items = items.into_par_iter().with_max_len(1);
        items.map(work).collect()
    } else {
        items.into_iter().map(work).collect()
    }
}

/// Calls `run` in a pool of so many threads, or in none.
#[cfg(test)]
pub(crate) fn in_a_pool<T: Send>(n_threads: Option<usize>, run: impl FnOnce() -> T + Send) -> T {
    match n_threads {
        None => run(),
        Some(n) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n);
            pool.build().unwrap().install(run)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_whoever_works() {
        for n_threads in [None, Some(1), Some(3)] {
            in_a_pool(n_threads, || {
                assert_eq!(is_in_a_pool(), n_threads.is_some());
                let squares = share_out((0..100).collect(), |n: usize| n * n);
                assert!(
                    squares
                        .iter()
                        .enumerate()
                        .all(|(n, square)| n * n == *square)
                );
                assert_eq!(both(|| 1, || "two"), (1, "two"));
            });
        }
    }

    /// What a thread does while it waits does not change whether the graph is drawn.
    #[test]
    fn each_of_both_draws_its_graph_or_not() {
        use tch::{Device, Kind, Tensor};
        let x = || Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let draws = || (x() * 2.0).requires_grad();
        let work = || share_out(vec![(); 8], |()| std::thread::yield_now()).len();
        for n_threads in [None, Some(1), Some(2)] {
            in_a_pool(n_threads, || {
                for _ in 0..50 {
                    let with = || tch::with_grad(|| (work(), draws()));
                    let without = || tch::no_grad(|| (work(), draws()));
                    assert_eq!(both(with, without), ((8, true), (8, false)));
                }
                assert!(draws());
            });
        }
    }
}
