//! The threads that share out an update: of DQN all of it, of A2C what it does to all weights, the product that is the largest layer's gradient and the optimizer's step.

use anyhow::{Context, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rlrun_nn::TorsoKind;
use tch::Device;

use super::station::guarded;
use crate::plan::{Plan, Threading};

/// As many threads as there are workers; those of A2C rest meanwhile. None where there is nothing to share out: with one worker, under
/// [`Threading::Serial`], on a GPU, and for a perceptron, whose layers are small.
pub(crate) struct UpdatePool<'a>(Option<&'a ThreadPool>);

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
            return drive(&UpdatePool(None));
        }
        let builder = ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(|number| format!("update-{number}"));
        let live = |thread: rayon::ThreadBuilder| {
            // libtorch's own threads split every single operation and wait for each other after it.
            tch::set_num_threads(1);
            thread.run();
        };
        builder
            .build_scoped(live, |pool| drive(&UpdatePool(Some(pool))))
            .context("starting the threads of an update")?
    }

    /// Does `work` on them and waits for it. A panic is an error.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let work = || guarded(work);
        match self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use rayon::prelude::*;

    use super::*;
    use crate::plan::{self, Asked, Machine};

    fn plan(game: &str) -> Plan {
        let asked = Asked {
            sets: [
                &format!("game={game}"),
                "learner.threads=2",
                "learner.device=cpu",
            ]
            .map(str::to_owned)
            .into(),
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
