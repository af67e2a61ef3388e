//! Evaluation inside training: now and then a copy of the agent plays full games in environments of its own, on a thread of
//! its own, while the training goes on.
//!
//! | tag | meaning |
//! | --- | --- |
//! | `eval/mean_reward` | mean raw score of the games |
//! | `eval/min_reward`, `eval/max_reward` | the least and the greatest |
//! | `eval/mean_ep_length` | their mean length, agent steps |
//!
//! They stand at the step whose parameters played, and every game in `evaluations.csv`. Every environment plays one game, so that short games do not count more
//! than long ones. DQN acts with `dqn.eval_epsilon`, A2C draws from its policy. What is played depends on (seed, step) alone,
//! and the training on none of it. If an evaluation takes longer than the interval, the next one is left out.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use anyhow::Result;
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_envs::{BatchEnv, StepBatch, env_seed, make};
use tch::Tensor;

use super::collect::Behaviour;
use super::setup::env_config;
use super::station::{Place, Station};
use super::training::Training;
use crate::plan::{Plan, Threading};
use crate::run::episode_stats::GameResult;

/// Plays games beside the training.
pub(crate) struct Evaluator<'scope> {
    station: Station<'scope, Order, Option<Evaluation>>,
    interval_steps: u64,
    /// Step of the next evaluation.
    next: u64,
    /// Who plays now.
    player: Option<Rc<Player>>,
    cancelled: Cancelled,
}

/// The agent of an evaluation that is not over: with it a run that goes on begins.
#[derive(Debug, PartialEq)]
pub(crate) struct Player {
    /// Step of the training whose parameters play.
    pub(crate) step: u64,
    /// A copy of these parameters.
    pub(crate) weights: Vec<(String, Tensor)>,
}

/// A copy of the agent that is to play.
struct Order {
    step: u64,
    behaviour: Box<dyn Behaviour + Send>,
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Step of the training whose parameters played.
    pub(crate) step: u64,
    /// The games, at least one.
    pub(crate) games: Vec<GameResult>,
}

/// A game that goes on until it is over.
#[derive(Clone, Copy, Debug)]
struct Game {
    result: GameResult,
    is_over: bool,
}

/// Raised when nobody waits for the games any longer.
#[derive(Clone, Default)]
struct Cancelled(Arc<AtomicBool>);

impl<'scope> Evaluator<'scope> {
    /// An evaluator for a run of `plan` that stands at `step`.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        plan: &Plan,
        step: u64,
        threading: Threading,
    ) -> Result<Self> {
        let place = match threading {
            Threading::Actors | Threading::ActorsOnSharedCores => Place::Elsewhere,
            Threading::Serial => Place::Here,
        };
        let cancelled = Cancelled::default();
        let (plan, stop) = (plan.clone(), cancelled.clone());
        let interval_steps = plan.eval.interval_steps;
        let mut env = None;
        let work = move |order: Order| play(&plan, &mut env, order, &stop);
        let station = Station::start(scope, "evaluator", place, work)?;
        Ok(Self {
            station,
            interval_steps,
            next: match interval_steps {
                0 => u64::MAX,
                interval => (step / interval + 1) * interval,
            },
            player: None,
            cancelled,
        })
    }

    /// Begins an evaluation if one is due, and hands out what an earlier one came to.
    ///
    /// # Errors
    /// If the games could not be played.
    pub(crate) fn look_in(&mut self, training: &dyn Training) -> Result<Option<Evaluation>> {
        let done = self.look_at_games()?;
        let step = training.step();
        if step >= self.next {
            self.next = (step / self.interval_steps + 1) * self.interval_steps;
            if self.player.is_none() {
                let weights = training.weights();
                let weights = weights.iter().map(|(name, now)| (name.clone(), now.copy()));
                let weights = weights.collect();
                self.begin(Rc::new(Player { step, weights }), training)?;
            }
        }
        Ok(done)
    }

    /// Hands out what an evaluation came to, if it is over.
    ///
    /// # Errors
    /// If the games could not be played.
    pub(crate) fn look_at_games(&mut self) -> Result<Option<Evaluation>> {
        if self.player.is_some()
            && let Some(outcome) = self.station.try_result()
        {
            self.player = None;
            return outcome;
        }
        Ok(None)
    }

    /// Lets `player` play, of an agent like that of `training`. Nobody else may be playing.
    ///
    /// # Errors
    /// If its weights are not those of such an agent.
    pub(crate) fn begin(&mut self, player: Rc<Player>, training: &dyn Training) -> Result<()> {
        let (step, behaviour) = (player.step, training.evaluated(&player.weights)?);
        self.station.order(Order { step, behaviour });
        self.player = Some(player);
        Ok(())
    }

    /// Who plays now.
    pub(crate) fn player(&self) -> Option<&Rc<Player>> {
        self.player.as_ref()
    }
}

impl Drop for Evaluator<'_> {
    fn drop(&mut self) {
        self.cancelled.0.store(true, Ordering::Relaxed);
    }
}

/// Plays one game in each environment; none if it was cancelled.
fn play(
    plan: &Plan,
    env: &mut Option<Box<dyn BatchEnv>>,
    order: Order,
    stop: &Cancelled,
) -> Result<Option<Evaluation>> {
    let n_games = plan.eval.games;
    let env = match env {
        Some(env) => env,
        empty => empty.insert(make(&env_config(plan, n_games, 1)?)?),
    };
    let Order {
        step,
        mut behaviour,
    } = order;
    let master = derived_seed(plan.seed, Consumer::Evaluation, step);
    let seeds: Vec<u32> = (0..n_games).map(|game| env_seed(master, game)).collect();
    let mut batch = StepBatch::new(env.spec());
    env.reset(&seeds, &mut batch)?;
    let mut actions = vec![0; n_games];
    let mut games = vec![Game::new(); n_games];
    for t in 0.. {
        if games.iter().all(|game| game.is_over) {
            break;
        }
        if stop.0.load(Ordering::Relaxed) {
            return Ok(None);
        }
        behaviour.choose(&batch.obs, t, 0, &mut actions);
        env.send(&actions)?;
        env.recv(&mut batch)?;
        let outcomes = batch.reward.iter().zip(&batch.game_over);
        for (game, (&reward, &game_over)) in games.iter_mut().zip(outcomes) {
            game.step(reward, game_over);
        }
    }
    let games = games.into_iter().map(|game| game.result).collect();
    Ok(Some(Evaluation { step, games }))
}

impl Game {
    fn new() -> Self {
        let result = GameResult {
            score: 0.0,
            length_steps: 0,
        };
        Self {
            result,
            is_over: false,
        }
    }

    fn step(&mut self, reward: f32, game_over: bool) {
        if self.is_over {
            return;
        }
        self.result.score += f64::from(reward);
        self.result.length_steps += 1;
        self.is_over = game_over;
    }
}

impl Evaluation {
    /// Mean raw score of the games.
    pub(crate) fn mean_score(&self) -> f64 {
        mean(self.games.iter().map(|game| game.score))
    }

    /// The scalars with their tags.
    pub(crate) fn named(&self) -> [(&'static str, f64); 4] {
        let scores = || self.games.iter().map(|game| game.score);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a game is far shorter than 2^52 steps"
        )]
        let lengths = self.games.iter().map(|game| game.length_steps as f64);
        [
            ("eval/mean_reward", self.mean_score()),
            ("eval/min_reward", scores().fold(f64::INFINITY, f64::min)),
            (
                "eval/max_reward",
                scores().fold(f64::NEG_INFINITY, f64::max),
            ),
            ("eval/mean_ep_length", mean(lengths)),
        ]
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are few games")]
    let n = values.len() as f64;
    values.sum::<f64>() / n
}
