//! What computes the gradient of a batch.

use std::ops::Range;

use rayon::prelude::*;
use rlrun_agents::dqn::{Dqn, DqnConfig, Replica, ShareGradient};
use rlrun_agents::replay::ReplayBatch;
use rlrun_nn::TorsoKind;

use crate::plan::Plan;
use crate::train::station::share;

/// Replicas of the agent with the rows of a batch that each takes. There is one for all rows where the network itself keeps the threads of an update busy, and for a
/// perceptron, which has nothing to share out; else one for each worker.
pub(crate) struct Shares(Vec<(Replica, Range<usize>)>);

impl Shares {
    /// Those of a training by `plan`.
    pub(crate) fn new(plan: &Plan, agent: &Dqn, config: &DqnConfig) -> Self {
        let n = if agent.fills_a_pool() || plan.torso.kind == TorsoKind::Mlp {
            1
        } else {
            plan.n_workers()
        };
        let shares = (0..n).map(|number| (agent.replica(), rows(number, n, config)));
        Self(shares.collect())
    }

    /// The gradients of all shares, in their order, shared out to the threads of the pool it is called in.
    pub(crate) fn gradients(&mut self, batch: &ReplayBatch) -> Vec<ShareGradient> {
        let gradient =
            |(replica, rows): &mut (Replica, Range<usize>)| replica.gradient(batch, rows.clone());
        if rayon::current_thread_index().is_some() {
            self.0.par_iter_mut().map(gradient).collect()
        } else {
            self.0.iter_mut().map(gradient).collect()
        }
    }
}

/// What share `number` of `n` takes of a batch. The collector and its emulator take about as long for a step as the gradient of one and a half rows, on a core where
/// meanwhile nobody computes: so the last share has so many fewer rows that all end together, but at least half of an equal share.
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
