//! Everyone who works for the learner of DQN.

use std::ops::Range;
use std::sync::Arc;
use std::thread::Scope;

use anyhow::Result;
use rlrun_agents::dqn::{Dqn, DqnConfig, ShareGradient};
use rlrun_agents::replay::{Replay, ReplayBatch};

use super::learner::Baggage;
use super::memory::Draw;
use crate::plan::{Plan, Threading};
use crate::train::actors::Actors;
use crate::train::collect::Collector;
use crate::train::games::FinishedGame;
use crate::train::home::{Homes, Visit};
use crate::train::station::{Place, Station, share};

/// Everyone who works for the learner.
pub(super) struct Stations<'a> {
    /// Acts in the environments.
    pub(super) collector: Station<'a, CollectOrder, (Baggage, Vec<FinishedGame>)>,
    /// Gathers batches from the memory.
    pub(super) gatherer: Station<'a, GatherOrder, Gathered>,
    /// Compute shares of an update's gradient; the first works on the learner's thread.
    pub(super) workers: Vec<Station<'a, Arc<ReplayBatch>, ShareGradient>>,
}

/// What the collector needs for a round.
pub(super) struct CollectOrder {
    /// Steps before the round.
    pub(super) step: u64,
    /// What travels with it.
    pub(super) baggage: Baggage,
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
    /// Starts everyone: a thread for the collector, one for the gatherer, and one for every worker but the first.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(super) fn start(
        scope: &'a Scope<'a, '_>,
        plan: &Plan,
        (agent, config): (&Dqn, &DqnConfig),
        (mut collector, mut actors): (Collector, Actors),
        threading: Threading,
    ) -> Result<Self> {
        let place = match threading {
            Threading::Actors | Threading::ActorsOnSharedCores => Place::Elsewhere,
            Threading::Serial => Place::Here,
        };
        let collect = move |order: CollectOrder| {
            let CollectOrder { step, mut baggage } = order;
            let games = collector.collect(&mut actors, step, &mut baggage.explorer)?;
            collector.swap_rollout(&mut baggage.rollout);
            Ok((baggage, games))
        };
        let (n_workers, homes) = (plan.n_workers(), Homes::new(plan, threading));
        let workers = (0..n_workers).map(|number| {
            let (mut replica, home) = (agent.replica(), homes.of_worker(number));
            let rows = rows(number, n_workers, config);
            let work = move |batch: Arc<ReplayBatch>| {
                let _visit = Visit::at(home);
                Ok(replica.gradient(&batch, rows.clone()))
            };
            let place = if number == 0 { Place::Here } else { place };
            Station::start(scope, &format!("worker-{number}"), place, work)
        });
        Ok(Self {
            collector: Station::start(scope, "collector", place, collect)?,
            gatherer: Station::start(scope, "gatherer", place, gather)?,
            workers: workers.collect::<Result<_>>()?,
        })
    }
}

/// What worker `number` of `n` takes of a batch. The last one has the collector and its emulator beside it on its core, and what they
/// do for a step takes about as long as the gradient of one and a half rows (`docs/performance.md`). So it takes so many fewer that
/// all end together, but at least half of an equal share.
fn rows(number: usize, n: usize, config: &DqnConfig) -> Range<usize> {
    let batch_size = config.batch_size;
    let steps = usize::try_from(config.steps_per_update).unwrap_or(batch_size);
    let collecting = steps.min(batch_size) * 3 / 2;
    let equal = batch_size / n;
    let fewer = collecting * (n - 1) / n;
    let last = equal.saturating_sub(fewer).max(equal.div_ceil(2));
    let others = batch_size - last;
    if number + 1 == n {
        others..batch_size
    } else {
        share(number, n - 1, others)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{self, AgentPlan, Asked, Machine};

    fn config(batch_size: usize, steps_per_update: u64) -> DqnConfig {
        let asked = Asked {
            sets: vec!["game=Pong".to_owned(), "agent=dqn".to_owned()],
            ..Asked::default()
        };
        match plan::resolve(&asked, &Machine::detect()).unwrap().agent {
            AgentPlan::Dqn(config, _) => DqnConfig {
                batch_size,
                steps_per_update,
                ..config
            },
            AgentPlan::A2c(_) => panic!("dqn was asked for"),
        }
    }

    #[test]
    fn the_worker_beside_the_collector_takes_fewer_rows() {
        assert_eq!(rows(0, 1, &config(32, 4)), 0..32);
        assert_eq!([0, 1].map(|k| rows(k, 2, &config(32, 4))), [0..19, 19..32]);
        assert_eq!([0, 1].map(|k| rows(k, 2, &config(32, 64))), [0..24, 24..32]);
    }

    #[test]
    fn every_row_is_taken_once_and_no_worker_goes_without() {
        for (batch_size, n) in [(1, 1), (2, 2), (3, 2), (7, 7), (32, 16), (33, 4), (512, 3)] {
            for steps_per_update in [1, 4, 1000] {
                let config = config(batch_size, steps_per_update);
                let all: Vec<_> = (0..n).map(|number| rows(number, n, &config)).collect();
                assert!(all.iter().all(|rows| !rows.is_empty()), "{all:?}");
                let in_order: Vec<usize> = all.into_iter().flatten().collect();
                assert_eq!(in_order, (0..batch_size).collect::<Vec<_>>());
            }
        }
    }
}
