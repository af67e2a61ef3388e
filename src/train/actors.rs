//! Actors: each owns one group of environments and steps it when it is ordered to.
//!
//! ```text
//!  learner                                   actor g
//!  order(g, actions, buffers) --bounded(1)--> send(actions); recv(buffers)
//!  next() <----------------- one channel ---- Stepped(g, buffers) | Failed(g, cause)
//! ```
//!
//! One order per group is out at a time, so no channel ever blocks a sender. The buffers travel back and forth and are
//! never allocated again. An actor that fails or panics reports it as an event, and the learner stops with that cause. Under [`Threading::Serial`] the same parts run on the
//! learner's thread, with the same numbers.

use std::collections::VecDeque;
use std::thread::{self, Scope};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use rlrun_envs::{BatchEnv, StepBatch};

use super::crew::guarded;
use crate::plan::Threading;

/// The buffers of one group: what it is told to do, and what came of it.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Number of the group.
    pub(crate) group: usize,
    /// One action per environment of the group.
    pub(crate) actions: Vec<u8>,
    /// What followed.
    pub(crate) batch: StepBatch,
}

/// What an actor reports.
enum Event {
    Stepped(Exchange),
    Failed { group: usize, cause: anyhow::Error },
}

/// A group of environments and the seeds it starts from.
pub(crate) struct Group {
    /// The environments.
    pub(crate) env: Box<dyn BatchEnv>,
    /// One seed per environment.
    pub(crate) seeds: Vec<u32>,
}

/// The learner's side of the actors.
pub(crate) enum Actors {
    /// Orders go out and events come in over channels.
    Threaded {
        /// One per group.
        orders: Vec<Sender<Exchange>>,
        /// Of all groups.
        events: EventReceiver,
    },
    /// Orders wait here until they are asked for.
    Serial {
        /// By number.
        groups: Vec<Group>,
        /// In the order they came.
        due: VecDeque<Due>,
    },
}

/// The receiving end of the actors' events.
pub(crate) struct EventReceiver(Receiver<Event>);

/// Something a serial group still has to do.
pub(crate) enum Due {
    /// Start its first games.
    Reset(usize),
    /// Take a step.
    Step(Exchange),
}

impl Actors {
    /// Starts an actor for every group, or none if they are to work serially.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        groups: Vec<Group>,
        threading: Threading,
    ) -> Result<Self> {
        if threading == Threading::Serial {
            let due = (0..groups.len()).map(Due::Reset).collect();
            return Ok(Self::Serial { groups, due });
        }
        let (event_sender, events) = bounded(groups.len());
        let mut orders = Vec::new();
        for (idx, group) in groups.into_iter().enumerate() {
            let (order_sender, order_receiver) = bounded(1);
            let event_sender = event_sender.clone();
            thread::Builder::new()
                .name(format!("actor-{idx}"))
                .spawn_scoped(scope, move || {
                    act(idx, group, &order_receiver, &event_sender);
                })
                .context("starting an actor thread")?;
            orders.push(order_sender);
        }
        let events = EventReceiver(events);
        Ok(Self::Threaded { orders, events })
    }

    /// Lets a group take a step. Its result comes with a later [`Self::next`].
    pub(crate) fn order(&mut self, exchange: Exchange) {
        match self {
            // A group that has failed no longer listens; its failure is the next event that is read.
            Self::Threaded { orders, .. } => drop(orders[exchange.group].send(exchange)),
            Self::Serial { due, .. } => due.push_back(Due::Step(exchange)),
        }
    }

    /// Waits for the next group that has finished: first every group once with its first observations, then one result
    /// per order.
    ///
    /// # Errors
    /// If an actor failed, with its cause.
    pub(crate) fn next(&mut self) -> Result<Exchange> {
        match self {
            Self::Threaded { events, .. } => {
                let event = events.0.recv().context("all actors are gone")?;
                match event {
                    Event::Stepped(exchange) => Ok(exchange),
                    Event::Failed { group, cause } => Err(failure(group, cause)),
                }
            }
            Self::Serial { groups, due } => match due.pop_front() {
                Some(Due::Reset(group)) => guarded(|| reset(group, &mut groups[group]))
                    .map_err(|cause| failure(group, cause)),
                Some(Due::Step(mut exchange)) => {
                    let group = exchange.group;
                    let env = groups[group].env.as_mut();
                    guarded(|| step(env, &mut exchange)).map_err(|cause| failure(group, cause))?;
                    Ok(exchange)
                }
                None => Err(anyhow!("no actor has anything to do")),
            },
        }
    }
}

/// The life of an actor: the first observations, then one step per order, until there are no more orders.
fn act(idx: usize, mut group: Group, orders: &Receiver<Exchange>, events: &Sender<Event>) {
    let work = || -> Result<()> {
        let first = reset(idx, &mut group)?;
        if events.send(Event::Stepped(first)).is_err() {
            return Ok(());
        }
        for mut exchange in orders {
            step(group.env.as_mut(), &mut exchange)?;
            if events.send(Event::Stepped(exchange)).is_err() {
                break;
            }
        }
        Ok(())
    };
    if let Err(cause) = guarded(work) {
        // Nobody listens only when the run is over already.
        let _ = events.send(Event::Failed { group: idx, cause });
    }
}

fn reset(idx: usize, group: &mut Group) -> Result<Exchange> {
    let mut batch = StepBatch::new(group.env.spec());
    group.env.reset(&group.seeds, &mut batch)?;
    Ok(Exchange {
        group: idx,
        actions: vec![0; group.env.spec().n_envs],
        batch,
    })
}

fn step(env: &mut dyn BatchEnv, exchange: &mut Exchange) -> Result<()> {
    env.send(&exchange.actions)?;
    env.recv(&mut exchange.batch)?;
    Ok(())
}

fn failure(group: usize, cause: anyhow::Error) -> anyhow::Error {
    cause.context(format!("actor {group} failed"))
}
