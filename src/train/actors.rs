//! Actors: each owns one group of environments and steps it when it is ordered to.
//!
//! ```text
//!  worker                                    actor g
//!  order(g, actions, buffers) --bounded(1)--> send(actions); recv(buffers)
//!  next() <----------------- one channel ---- the buffers, or what went wrong
//! ```
//!
//! One order per group is out at a time, so no channel ever blocks a sender. The buffers travel back and forth and are
//! never allocated again. An actor that fails or panics reports it as an event, and the worker stops with that cause. One that
//! does not answer is named by the [`Watchdog`] and left behind: nothing waits for its thread, which ends with the process. So
//! these threads are not scoped. Under [`Threading::Serial`] the environments are stepped on the worker's own thread, with the
//! same numbers and without a watchdog.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use rlrun_envs::{BatchEnv, StepBatch};

use super::home::Home;
use super::station::guarded;
use super::watchdog::{Activity, Part, Silence, Watchdog};
use crate::plan::{Plan, Threading};

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
    /// Seeds, one per environment, of new games that are to be begun in place of a step.
    pub(crate) reset: Option<Vec<u32>>,
    /// One action per environment of the group.
    pub(crate) actions: Vec<u8>,
    /// What followed.
    pub(crate) batch: StepBatch,
}

/// A worker's side of its actors.
pub(crate) enum Actors {
    /// Orders go out and results come in over channels.
    Threaded(Staff),
    /// Orders wait here until their results are asked for.
    Serial {
        /// One per group, with its name.
        groups: Vec<(String, Group)>,
        /// In the order they came.
        due: VecDeque<Exchange>,
    },
}

/// How actors are started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footing {
    threading: Threading,
    home: Home,
    watchdog: Watchdog,
}

/// Actors with threads.
pub(crate) struct Staff {
    members: Vec<Member>,
    results: Receiver<(usize, Result<Exchange>)>,
    watchdog: Watchdog,
}

/// An actor as its worker sees it.
struct Member {
    name: String,
    /// None when there are no more orders.
    orders: Option<Sender<Exchange>>,
    thread: Option<JoinHandle<()>>,
    activity: Arc<Activity>,
    /// Whether its result is still to come.
    is_busy: bool,
}

impl Footing {
    /// As `plan` has it, with all threads in one home.
    pub(crate) fn new(plan: &Plan, threading: Threading, home: Home) -> Self {
        Self {
            threading,
            home,
            watchdog: Watchdog::new(plan.run.watchdog_s),
        }
    }
}

impl Actors {
    /// Starts an actor for every group, or none if they are to work serially. Each is called by its role and its number.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(role: &str, groups: Vec<Group>, footing: Footing) -> Result<Self> {
        let name = |group: &Group| format!("{role} {}", group.number);
        let groups = groups.into_iter().map(|group| (name(&group), group));
        if footing.threading == Threading::Serial {
            let groups: Vec<_> = groups.collect();
            let due = VecDeque::with_capacity(groups.len());
            return Ok(Self::Serial { groups, due });
        }
        let (outgoing, results) = bounded(groups.len());
        let hire = |(name, group)| Member::hire(name, group, outgoing.clone(), footing.home);
        let members = groups.map(hire).collect::<Result<_>>()?;
        Ok(Self::Threaded(Staff {
            members,
            results,
            watchdog: footing.watchdog,
        }))
    }

    /// Lets a group take a step. Its result comes with a later [`Self::next`].
    pub(crate) fn order(&mut self, exchange: Exchange) {
        match self {
            Self::Threaded(staff) => staff.order(exchange),
            Self::Serial { due, .. } => due.push_back(exchange),
        }
    }

    /// Waits for the next group that has finished its step.
    ///
    /// # Errors
    /// If an actor failed, with its cause, or does not answer.
    pub(crate) fn next(&mut self) -> Result<Exchange> {
        match self {
            Self::Threaded(staff) => staff.next(),
            Self::Serial { groups, due } => {
                let exchange = due.pop_front().context("no actor has anything to do")?;
                let (name, group) = &mut groups[exchange.seat];
                work(name, group, exchange, &Activity::default())
            }
        }
    }
}

impl Staff {
    fn order(&mut self, exchange: Exchange) {
        let member = &mut self.members[exchange.seat];
        member.is_busy = true;
        // One that has failed no longer listens; its failure is the next result that is read.
        if let Some(orders) = &member.orders {
            let _ = orders.send(exchange);
        }
    }

    fn next(&mut self) -> Result<Exchange> {
        match self.watchdog.wait(&self.results) {
            Ok((seat, result)) => {
                self.members[seat].is_busy = false;
                result
            }
            Err(Silence::AllGone) => Err(anyhow!("all actors are gone")),
            Err(Silence::TooLong) => Err(self.give_up()),
        }
    }

    /// Leaves the busy ones behind, and says who they are.
    fn give_up(&mut self) -> anyhow::Error {
        let mut said = Vec::new();
        for member in self.members.iter_mut().filter(|member| member.is_busy) {
            said.push(format!("{} was {}", member.name, member.activity));
            member.is_busy = false;
            member.thread = None;
        }
        anyhow!(
            "no answer for {} s of running time (run.watchdog_s): {}; one of the emulator's own threads may have failed",
            self.watchdog.seconds(),
            said.join(", ")
        )
    }
}

impl Drop for Staff {
    /// Ends the threads. One that does not come to its end is left behind.
    fn drop(&mut self) {
        for member in &mut self.members {
            member.orders = None;
        }
        loop {
            match self.watchdog.wait(&self.results) {
                Ok((seat, _)) => self.members[seat].is_busy = false,
                // Each has let go of its end of the channel, which is the last thing it does.
                Err(Silence::AllGone) => break,
                Err(Silence::TooLong) => return,
            }
        }
        for thread in self.members.iter_mut().filter_map(|m| m.thread.take()) {
            // It has reported its panics.
            let _ = thread.join();
        }
    }
}

impl Member {
    fn hire(
        name: String,
        mut group: Group,
        results: Sender<(usize, Result<Exchange>)>,
        home: Home,
    ) -> Result<Self> {
        let (orders, incoming) = bounded(1);
        let activity = Arc::new(Activity::default());
        let (own_name, own_activity) = (name.clone(), Arc::clone(&activity));
        let life = move || {
            home.move_in();
            act((&own_name, &mut group), &incoming, &results, &own_activity);
            // Before the results: whoever waits for their end finds the environments gone.
            drop(group);
            drop(results);
        };
        let thread = thread::Builder::new()
            .name(name.replace(' ', "-"))
            .spawn(life)
            .with_context(|| format!("starting the thread of {name}"))?;
        Ok(Self {
            name,
            orders: Some(orders),
            thread: Some(thread),
            activity,
            is_busy: false,
        })
    }
}

/// The life of an actor: one step per order, until there are no more orders or it fails.
fn act(
    (name, group): (&str, &mut Group),
    orders: &Receiver<Exchange>,
    results: &Sender<(usize, Result<Exchange>)>,
    activity: &Activity,
) {
    for exchange in orders {
        let seat = exchange.seat;
        let result = work(name, group, exchange, activity);
        activity.begin(Part::Idle);
        let has_failed = result.is_err();
        if results.send((seat, result)).is_err() || has_failed {
            break;
        }
    }
}

/// Takes a step, or begins new games; a panic is an error with its message.
fn work(
    name: &str,
    group: &mut Group,
    mut exchange: Exchange,
    activity: &Activity,
) -> Result<Exchange> {
    let env = group.env.as_mut();
    guarded(|| {
        if let Some(seeds) = exchange.reset.take() {
            activity.begin(Part::Resetting);
            env.reset(&seeds, &mut exchange.batch)?;
            return Ok(exchange);
        }
        activity.begin(Part::Sending);
        env.send(&exchange.actions)?;
        activity.begin(Part::Receiving);
        env.recv(&mut exchange.batch)?;
        Ok(exchange)
    })
    .map_err(|cause| anyhow!("{cause:#}").context(format!("{name} failed")))
}

#[cfg(test)]
mod tests;
