//! The threads that share out what an update does to all weights: summing the shares' gradients, and the optimizer's step.

use anyhow::{Context, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::station::guarded;
use crate::plan::{Plan, Threading};

/// As many as there are workers, who rest meanwhile; none on a GPU, which has threads of its own.
pub(crate) struct UpdatePool(Option<ThreadPool>);

impl UpdatePool {
    /// That of a training.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(plan: &Plan, threading: Threading) -> Result<Self> {
        if plan.learner.compute().device != tch::Device::Cpu {
            return Ok(Self(None));
        }
        let n_threads = match threading {
            Threading::Actors | Threading::ActorsOnSharedCores => plan.n_workers(),
            Threading::Serial => 1,
        };
        let builder = ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(|number| format!("update-{number}"))
            // libtorch's own threads split every single operation and wait for each other after it.
            .start_handler(|_| tch::set_num_threads(1));
        let pool = builder
            .build()
            .context("starting the threads of an update")?;
        Ok(Self(Some(pool)))
    }

    /// Does `work` on them and waits for it. A panic is an error.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let work = || guarded(work);
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}
