//! Updaters: threads that work on shares of an update's batch beside the learner.
//!
//! ```text
//!  learner    share 0, ...        gradient of its own share      take the others in their order
//!  updater k   <-- share k+1 --   gradient of share k+1          -- gradient -->
//! ```
//!
//! libtorch computes on one thread in each of them. Its own way, all threads on every single operation, waits at the end of
//! each, and its waiting threads spin on cores that the emulators need.

use std::thread::{self, Scope};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use rlrun_agents::a2c::{Differentiator, Share, ShareGradient};

use super::crew::guarded;
use crate::plan::Threading;

/// The learner's side of the updaters.
pub(crate) struct Updaters {
    own: Differentiator,
    others: Vec<Updater>,
}

/// One thread's channels.
struct Updater {
    shares: Sender<Share>,
    gradients: Receiver<Result<ShareGradient>>,
}

impl Updaters {
    /// Starts a thread for each differentiator but the first, which is the learner's own. Serial, there is only that one.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        own: Differentiator,
        others: Vec<Differentiator>,
        threading: Threading,
    ) -> Result<Self> {
        let others = match threading {
            Threading::Actors => others,
            Threading::Serial => Vec::new(),
        };
        let start = |(idx, differentiator)| Updater::start(scope, idx, differentiator);
        let others = others.into_iter().enumerate().map(start).collect::<Result<_>>()?;
        Ok(Self { own, others })
    }

    /// The gradients of all shares, in their order.
    ///
    /// # Errors
    /// If an updater failed.
    pub(crate) fn gradients(&mut self, shares: Vec<Share>) -> Result<Vec<ShareGradient>> {
        let mut shares = shares.into_iter();
        let first = shares.next().context("a batch has at least one share")?;
        let mut rest: Vec<Share> = shares.collect();
        let kept = rest.split_off(self.others.len().min(rest.len()));
        for (updater, share) in self.others.iter().zip(rest) {
            let sent = updater.shares.send(share);
            sent.map_err(|_| anyhow!("an updater is gone"))?;
        }
        let mut gradients = vec![self.own.gradient(&first)];
        for updater in &self.others {
            gradients.push(updater.gradients.recv().context("an updater is gone")??);
        }
        gradients.extend(kept.iter().map(|share| self.own.gradient(share)));
        Ok(gradients)
    }
}

impl Updater {
    fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        idx: usize,
        differentiator: Differentiator,
    ) -> Result<Self> {
        let (share_sender, shares) = bounded::<Share>(1);
        let (gradient_sender, gradients) = bounded(1);
        thread::Builder::new()
            .name(format!("updater-{idx}"))
            .spawn_scoped(scope, move || {
                tch::set_num_threads(1);
                for share in shares {
                    let gradient = guarded(|| Ok(differentiator.gradient(&share)))
                        .with_context(|| format!("updater {idx} failed"));
                    if gradient_sender.send(gradient).is_err() {
                        break;
                    }
                }
            })
            .context("starting an updater thread")?;
        Ok(Self {
            shares: share_sender,
            gradients,
        })
    }
}
