//! Everyone who works for the learner of DQN.

use std::sync::Arc;
use std::thread::Scope;

use anyhow::Result;
use rlrun_agents::replay::{Replay, ReplayBatch};

use super::learner::Baggage;
use super::memory::Draw;
use crate::plan::Threading;
use crate::train::actors::Actors;
use crate::train::collect::Collector;
use crate::train::games::FinishedGame;
use crate::train::home::{Home, Visit};
use crate::train::pool::LentCore;
use crate::train::station::{Place, Station};

/// Everyone who works for the learner.
pub(super) struct Stations<'a> {
    /// Acts in the environments.
    pub(super) collector: Station<'a, CollectOrder, (Baggage, Vec<FinishedGame>)>,
    /// Gathers batches from the memory.
    pub(super) gatherer: Station<'a, GatherOrder, Gathered>,
}

/// What the collector needs for a round.
pub(super) struct CollectOrder {
    /// Steps before the round.
    pub(super) step: u64,
    /// What travels with it.
    pub(super) baggage: Baggage,
    /// The one it works on, to be given back as soon as it has nothing to do.
    pub(super) core: Option<LentCore>,
}

/// What the gatherer needs for a round.
pub(super) struct GatherOrder {
    /// The memory, which stands still.
    pub(super) replay: Arc<Replay>,
    /// To be filled.
    pub(super) buffers: Vec<ReplayBatch>,
    /// How.
    pub(super) draw: Draw,
}

/// What it brings back.
pub(super) struct Gathered {
    /// The filled buffers.
    pub(super) ready: Vec<ReplayBatch>,
    /// Those for which there was nothing in the memory yet.
    pub(super) spare: Vec<ReplayBatch>,
}

impl<'a> Stations<'a> {
    /// Starts everyone: a thread for the collector, at `home` with its actors, and one for the gatherer.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(super) fn start(
        scope: &'a Scope<'a, '_>,
        (mut collector, mut actors): (Collector, Actors),
        (threading, home): (Threading, Home),
    ) -> Result<Self> {
        let place = match threading {
            Threading::Actors | Threading::ActorsOnSharedCores => Place::Elsewhere,
            Threading::Serial => Place::Here,
        };
        let collect = move |order: CollectOrder| {
            let CollectOrder {
                step,
                mut baggage,
                core,
            } = order;
            let games = collector.collect(&mut actors, step, &mut baggage.explorer)?;
            collector.swap_rollout(&mut baggage.rollout);
            drop(core);
            Ok((baggage, games))
        };
        let collector = {
            // Its thread lives where it is started.
            let _visit = Visit::at(home);
            Station::start(scope, "collector", place, collect)?
        };
        Ok(Self {
            collector,
            gatherer: Station::start(scope, "gatherer", place, gather)?,
        })
    }
}

/// Fills the buffers as far as the memory allows. It is let go before the result is out.
fn gather(order: GatherOrder) -> Result<Gathered> {
    let GatherOrder {
        replay,
        mut buffers,
        draw,
    } = order;
    let mut n_ready = 0;
    for batch in &mut buffers {
        if !draw.fill(&replay, n_ready, batch)? {
            break;
        }
        n_ready += 1;
    }
    let spare = buffers.split_off(n_ready);
    Ok(Gathered {
        ready: buffers,
        spare,
    })
}
