//! Actors: each owns one group of environments and steps it when it is ordered to.
//!
//! ```text
//!  worker                                    actor g
//!  order(g, actions, buffers) --bounded(1)--> send(actions); recv(buffers)
//!  next() <----------------- one channel ---- the buffers, or what went wrong
//! ```
//!
//! One order per group is out at a time, so no channel ever blocks a sender. The buffers travel back and forth and are
//! never allocated again. An actor that fails or panics reports it as an event, and the worker stops with that cause. Under
//! [`Threading::Serial`] the environments are stepped on the worker's own thread, with the same numbers.

use std::collections::VecDeque;
use std::thread::{self, Scope};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use rlrun_envs::{BatchEnv, StepBatch};

use super::home::Home;
use super::station::guarded;
use crate::plan::Threading;

/// A group of environments.
pub(crate) struct Group {
    /// Its number in the run.
    pub(crate) number: usize,
    /// The environments, reset.
    pub(crate) env: Box<dyn BatchEnv>,
}

/// The buffers of one group: what it is told to do, and what came of it.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Which of the worker's groups.
    pub(crate) seat: usize,
    /// One action per environment of the group.
    pub(crate) actions: Vec<u8>,
    /// What followed.
    pub(crate) batch: StepBatch,
}

/// A worker's side of its actors.
pub(crate) enum Actors {
    /// Orders go out and results come in over channels.
    Threaded {
        /// One per group.
        orders: Vec<Sender<Exchange>>,
        /// Of all groups.
        results: Receiver<Result<Exchange>>,
    },
    /// Orders wait here until their results are asked for.
    Serial {
        /// One per group.
        groups: Vec<Group>,
        /// In the order they came.
        due: VecDeque<Exchange>,
    },
}

impl Actors {
    /// Starts an actor for every group, all in one home, or none if they are to work serially.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        groups: Vec<Group>,
        threading: Threading,
        home: Home,
    ) -> Result<Self> {
        if threading == Threading::Serial {
            let due = VecDeque::with_capacity(groups.len());
            return Ok(Self::Serial { groups, due });
        }
        let (result_sender, results) = bounded(groups.len());
        let mut orders = Vec::new();
        for mut group in groups {
            let (order_sender, order_receiver) = bounded(1);
            let result_sender = result_sender.clone();
            thread::Builder::new()
                .name(format!("actor-{}", group.number))
                .spawn_scoped(scope, move || {
                    home.move_in();
                    act(&mut group, &order_receiver, &result_sender);
                })
                .context("starting an actor thread")?;
            orders.push(order_sender);
        }
        Ok(Self::Threaded { orders, results })
    }

    /// Lets a group take a step. Its result comes with a later [`Self::next`].
    pub(crate) fn order(&mut self, exchange: Exchange) {
        match self {
            // A group that has failed no longer listens; its failure is the next result that is read.
            Self::Threaded { orders, .. } => drop(orders[exchange.seat].send(exchange)),
            Self::Serial { due, .. } => due.push_back(exchange),
        }
    }

    /// Waits for the next group that has finished its step.
    ///
    /// # Errors
    /// If an actor failed, with its cause.
    pub(crate) fn next(&mut self) -> Result<Exchange> {
        match self {
            Self::Threaded { results, .. } => results.recv().context("all actors are gone")?,
            Self::Serial { groups, due } => {
                let exchange = due.pop_front().context("no actor has anything to do")?;
                step(&mut groups[exchange.seat], exchange)
            }
        }
    }
}

/// The life of an actor: one step per order, until there are no more orders or it fails.
fn act(group: &mut Group, orders: &Receiver<Exchange>, results: &Sender<Result<Exchange>>) {
    for exchange in orders {
        let result = step(group, exchange);
        let has_failed = result.is_err();
        if results.send(result).is_err() || has_failed {
            break;
        }
    }
}

/// Takes a step; a panic is an error with its message.
fn step(group: &mut Group, mut exchange: Exchange) -> Result<Exchange> {
    let env = group.env.as_mut();
    guarded(|| {
        env.send(&exchange.actions)?;
        env.recv(&mut exchange.batch)?;
        Ok(exchange)
    })
    .map_err(|cause| anyhow!("{cause:#}").context(format!("actor {} failed", group.number)))
}
