//! The threads that share out an update: of DQN all of it, of A2C what it does to all weights, the product that is the largest layer's gradient and the optimizer's step.
//!
//! The last one lends its core to DQN's collector and emulators while these have something to do ([`UpdatePool::lend_core`]). So no more of them than cores
//! have something to do, and none waits for the system to let it run while the others wait for it.

use anyhow::{Context, Result};
use crossbeam_channel::{Sender, bounded};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rlrun_nn::TorsoKind;
use tch::Device;

use super::home::Homes;
use super::station::guarded;
use crate::plan::{Plan, Threading};

/// As many threads as there are workers; those of A2C rest meanwhile. None where there is nothing to share out: with one worker, under
/// [`Threading::Serial`], on a GPU, and for a perceptron, whose layers are small.
pub(crate) struct UpdatePool<'a> {
    threads: Option<&'a ThreadPool>,
    homes: Homes,
}

/// A core that [`UpdatePool::lend_core`] lends, until this is dropped.
#[must_use]
pub(crate) struct LentCore {
    /// Nothing is ever sent.
    _resting: Sender<()>,
}

impl UpdatePool<'_> {
    /// Runs `drive` with the pool of a training, and joins its threads.
    ///
    /// # Errors
    /// Those of `drive`, or a thread that cannot be started.
    pub(crate) fn with<T>(
        plan: &Plan,
        threading: Threading,
        drive: impl FnOnce(&UpdatePool<'_>) -> Result<T>,
    ) -> Result<T> {
        let n_threads = plan.n_workers();
        if n_threads == 1
            || threading == Threading::Serial
            || plan.learner.compute().device != Device::Cpu
            || plan.torso.kind == TorsoKind::Mlp
        {
            let (threads, homes) = (None, Homes::Anywhere);
            return drive(&UpdatePool { threads, homes });
        }
        let homes = Homes::new(plan, threading);
        let has_cores = matches!(homes, Homes::Updaters { .. });
        let builder = ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(|number| format!("update-{number}"));
        let live = |thread: rayon::ThreadBuilder| {
            // libtorch's own threads split every single operation and wait for each other after it.
            tch::set_num_threads(1);
            if has_cores {
                homes.of_worker(thread.index()).move_in();
            }
            thread.run();
        };
        builder
            .build_scoped(live, |pool| {
                let threads = Some(pool);
                drive(&UpdatePool { threads, homes })
            })
            .context("starting the threads of an update")?
    }

    /// Lets the last thread rest, so that its core is free for those who [live](Homes::Updaters) there; the others go on. None where nobody does.
    ///
    /// Should that thread have begun a piece of work when it hears of it, the piece waits, too: whoever has the core must not wait for the pool before giving it back.
    pub(crate) fn lend_core(&self) -> Option<LentCore> {
        let (Some(pool), Homes::Updaters { n_threads }) = (self.threads, self.homes) else {
            return None;
        };
        let (resting, until_dropped) = bounded::<()>(0);
        pool.spawn_broadcast(move |context| {
            if context.index() + 1 == n_threads {
                // That it is dropped is all there is to hear.
                let _ = until_dropped.recv();
            }
        });
        Some(LentCore { _resting: resting })
    }

    /// Does `work` on them and waits for it. A panic is an error.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let work = || guarded(work);
        match self.threads {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use anyhow::anyhow;
    use rayon::prelude::*;

    use super::*;
    use crate::plan::{self, Asked, Machine};

    fn plan(game: &str) -> Plan {
        plan_with(game, &["learner.threads=2"])
    }

    fn plan_with(game: &str, sets: &[&str]) -> Plan {
        let game = format!("game={game}");
        let sets = [&game, "learner.device=cpu"]
            .into_iter()
            .chain(sets.iter().copied());
        let asked = Asked {
            sets: sets.map(str::to_owned).collect(),
            ..Asked::default()
        };
        plan::resolve(&asked, &Machine::detect()).unwrap()
    }

    #[test]
    fn errors_and_panics_come_back_and_the_pool_goes_on() {
        UpdatePool::with(&plan("Pong"), Threading::Actors, |pool| {
            let failed = pool.run::<()>(|| Err(anyhow!("too large")));
            assert_eq!(failed.unwrap_err().to_string(), "too large");
            let panicked = pool.run(|| {
                (0..8)
                    .into_par_iter()
                    .for_each(|piece| assert_ne!(piece, 5, "piece five"));
                Ok(())
            });
            assert!(panicked.unwrap_err().to_string().contains("piece five"));
            assert_eq!(pool.run(|| Ok(rayon::current_num_threads()))?, 2);
            Ok(())
        })
        .unwrap();
    }

    /// Two threads of an update with cores of their own, wherever the test runs.
    fn with_own_cores(drive: impl FnOnce(&UpdatePool<'_>)) {
        let homes = Homes::Updaters { n_threads: 2 };
        let threads = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let threads = Some(&threads);
        drive(&UpdatePool { threads, homes });
    }

    #[test]
    fn while_a_core_is_lent_the_other_threads_do_the_work() {
        with_own_cores(|pool| {
            let workers = || {
                let work = || {
                    let who = (0..64).into_par_iter().map(|_| {
                        (0..50).for_each(|_| thread::yield_now());
                        rayon::current_thread_index()
                    });
                    Ok(who.collect::<BTreeSet<_>>())
                };
                pool.run(work).unwrap()
            };
            for _ in 0..3 {
                // It is to hear of it before anything else: it waits in a job, after which the next one of its own comes first.
                let (begin, begun) = bounded(1);
                let (end, until_dropped) = bounded::<()>(0);
                pool.threads.unwrap().spawn_broadcast(move |context| {
                    if context.index() == 1 {
                        begin.send(()).unwrap();
                        let _ = until_dropped.recv();
                    }
                });
                begun.recv().unwrap();
                let core = pool.lend_core().unwrap();
                drop(end);
                for _ in 0..50 {
                    assert_eq!(workers(), [Some(0)].into());
                }
                drop(core);
                assert!((0..100).any(|_| workers().len() == 2));
            }
        });
    }

    #[test]
    fn a_core_is_lent_where_emulators_live_with_the_last_thread() {
        let n_threads = thread::available_parallelism().map_or(1, usize::from);
        let plan = plan_with(
            "Pong",
            &["agent=dqn", &format!("learner.threads={n_threads}")],
        );
        for threading in [Threading::Actors, Threading::ActorsOnSharedCores] {
            let homes = Homes::new(&plan, threading);
            UpdatePool::with(&plan, threading, |pool| {
                let lives_there = matches!(homes, Homes::Updaters { .. });
                assert_eq!(pool.lend_core().is_some(), lives_there);
                assert!(!lives_there || threading == Threading::Actors);
                Ok(())
            })
            .unwrap();
        }
    }

    #[test]
    fn there_is_none_where_nothing_is_shared_out() {
        for (game, threading) in [
            ("Pong", Threading::Serial),
            ("probe:lives", Threading::Actors),
        ] {
            let is_alone = UpdatePool::with(&plan(game), threading, |pool| {
                pool.run(|| Ok(rayon::current_thread_index().is_none()))
            });
            assert_eq!(is_alone.unwrap(), threading == Threading::Serial, "{game}");
        }
    }
}
