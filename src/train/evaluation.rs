//! Evaluation inside training: now and then a copy of the agent plays full games in environments of its own, on a thread of
//! its own, while the training goes on.
//!
//! | tag | meaning |
//! | --- | --- |
//! | `eval/mean_reward` | mean raw score of the games |
//! | `eval/min_reward`, `eval/max_reward` | the least and the greatest |
//! | `eval/mean_ep_length` | their mean length, agent steps |
//!
//! They stand at the step whose parameters played, and every game in `evaluations.csv`. Every environment plays one game, so that
//! short games do not count more than long ones. DQN acts with `dqn.eval_epsilon`, A2C draws from its policy. What is played
//! depends on (seed, step) alone, and the training on none of it. If an evaluation takes longer than the interval, the next ones
//! wait for their turn; none is left out, for that would depend on the clock. When [`MOST_WAITING`] wait, so does the training:
//! evaluations that are slower than it all the time would pile up otherwise, each with a copy of the weights.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use anyhow::{Context, Result};
use rlrun_agents::stream::{Consumer, derived_seed};
use rlrun_envs::{StepBatch, env_seed, make};
use tch::Tensor;

use super::actors::{Actors, Exchange, Footing, Group};
use super::collect::Behaviour;
use super::home::Home;
use super::setup::env_config;
use super::station::{Place, Station};
use super::training::Training;
use crate::plan::{Plan, Threading};
use crate::run::episode_stats::GameResult;

/// Evaluations that wait for their turn at most.
const MOST_WAITING: usize = 2;

/// Plays games beside the training.
pub(crate) struct Evaluator<'scope> {
    station: Station<'scope, Order, Option<Evaluation>>,
    interval_steps: u64,
    /// Step of the next evaluation.
    next: u64,
    /// Who plays now, and who waits for their turn.
    players: VecDeque<Rc<Player>>,
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

/// Environments of its own, with an actor, so that it is noticed if they do not answer.
struct Arena {
    actors: Actors,
    /// The buffers, while nothing is ordered.
    parked: Option<Exchange>,
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
        let mut arena = None;
        let work = move |order: Order| {
            let arena = match &mut arena {
                Some(arena) => arena,
                empty => empty.insert(Arena::open(&plan, threading)?),
            };
            play(&plan, arena, order, &stop)
        };
        let station = Station::start(scope, "evaluator", place, work)?;
        Ok(Self {
            station,
            interval_steps,
            next: match interval_steps {
                0 => u64::MAX,
                interval => (step / interval + 1) * interval,
            },
            players: VecDeque::new(),
            cancelled,
        })
    }

    /// Lines up an evaluation if one is due.
    ///
    /// # Errors
    /// If a copy of the agent cannot be made.
    pub(crate) fn line_up_if_due(&mut self, training: &dyn Training) -> Result<()> {
        let step = training.step();
        if step < self.next {
            return Ok(());
        }
        self.next = (step / self.interval_steps + 1) * self.interval_steps;
        let weights = training.weights();
        let weights = weights.iter().map(|(name, now)| (name.clone(), now.copy()));
        let weights = weights.collect();
        self.line_up(Rc::new(Player { step, weights }), training)
    }

    /// Lines up `player`, of an agent like that of `training`; it plays at once if nobody else does.
    ///
    /// # Errors
    /// If its weights are not those of such an agent.
    pub(crate) fn line_up(&mut self, player: Rc<Player>, training: &dyn Training) -> Result<()> {
        if self.players.is_empty() {
            self.order(&player, training)?;
        }
        self.players.push_back(player);
        Ok(())
    }

    /// Hands out what an evaluation came to, if it is over, and lets the next one begin.
    ///
    /// # Errors
    /// If the games could not be played.
    pub(crate) fn look_in(&mut self, training: &dyn Training) -> Result<Option<Evaluation>> {
        if self.players.is_empty() {
            return Ok(None);
        }
        let Some(outcome) = self.station.try_result() else {
            return Ok(None);
        };
        let evaluation = outcome?;
        self.players.pop_front();
        if let Some(next) = self.players.front().map(Rc::clone) {
            self.order(&next, training)?;
        }
        Ok(evaluation)
    }

    fn order(&mut self, player: &Player, training: &dyn Training) -> Result<()> {
        let (step, behaviour) = (player.step, training.evaluated(&player.weights)?);
        self.station.order(Order { step, behaviour });
        Ok(())
    }

    /// Who plays now, and who waits for their turn.
    pub(crate) fn players(&self) -> &VecDeque<Rc<Player>> {
        &self.players
    }

    /// Whether so many wait that the training should, too.
    pub(crate) fn is_behind(&self) -> bool {
        self.players.len() > 1 + MOST_WAITING
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
    arena: &mut Arena,
    order: Order,
    stop: &Cancelled,
) -> Result<Option<Evaluation>> {
    let n_games = plan.eval.games;
    let Order {
        step,
        mut behaviour,
    } = order;
    let master = derived_seed(plan.seed, Consumer::Evaluation, step);
    let seeds: Vec<u32> = (0..n_games).map(|game| env_seed(master, game)).collect();
    let mut now = arena.reset(seeds)?;
    let mut games = vec![Game::new(); n_games];
    for t in 0.. {
        if games.iter().all(|game| game.is_over) {
            break;
        }
        if stop.0.load(Ordering::Relaxed) {
            return Ok(None);
        }
        behaviour.choose(&now.batch.obs, t, 0, &mut now.actions);
        now = arena.step(now)?;
        let outcomes = now.batch.reward.iter().zip(&now.batch.game_over);
        for (game, (&reward, &game_over)) in games.iter_mut().zip(outcomes) {
            game.step(reward, game_over);
        }
    }
    arena.parked = Some(now);
    let games = games.into_iter().map(|game| game.result).collect();
    Ok(Some(Evaluation { step, games }))
}

impl Arena {
    fn open(plan: &Plan, threading: Threading) -> Result<Self> {
        let n_envs = plan.eval.games;
        let env = make(&env_config(plan, n_envs, 1)?)?;
        let parked = Exchange {
            seat: 0,
            reset: None,
            actions: vec![0; n_envs],
            batch: StepBatch::new(env.spec()),
        };
        let footing = Footing::new(plan, threading, Home::ANYWHERE);
        let group = Group { number: 0, env };
        Ok(Self {
            actors: Actors::start("evaluation actor", vec![group], footing)?,
            parked: Some(parked),
        })
    }

    /// Begins new games with these seeds.
    fn reset(&mut self, seeds: Vec<u32>) -> Result<Exchange> {
        let mut exchange = self
            .parked
            .take()
            .context("an evaluation has failed before")?;
        exchange.reset = Some(seeds);
        self.step(exchange)
    }

    fn step(&mut self, exchange: Exchange) -> Result<Exchange> {
        self.actors.order(exchange);
        self.actors.next()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{self, Asked, Machine};

    /// Always takes action 0.
    struct Zero;

    impl Behaviour for Zero {
        fn choose(&mut self, _: &[u8], _: u64, _: usize, actions: &mut [u8]) {
            actions.fill(0);
        }
    }

    /// What comes of a game of `probe`.
    fn played(probe: &str) -> Result<Option<Evaluation>> {
        let game = format!("game={probe}");
        let sets = [game.as_str(), "eval.games=1", "run.watchdog_s=1"];
        let asked = Asked {
            sets: sets.map(str::to_owned).to_vec(),
            ..Asked::default()
        };
        let plan = plan::resolve(&asked, &Machine::detect()).unwrap();
        let mut arena = Arena::open(&plan, Threading::Actors).unwrap();
        let order = Order {
            step: 80,
            behaviour: Box::new(Zero),
        };
        play(&plan, &mut arena, order, &Cancelled::default())
    }

    #[test]
    fn an_evaluation_that_hangs_is_named_and_another_is_played() {
        let evaluation = played("probe:lives").unwrap().unwrap();
        assert_eq!(evaluation.named()[0], ("eval/mean_reward", 6.0));
        let said = played("probe:hangs").unwrap_err().to_string();
        assert!(said.contains("evaluation actor 0 was waiting"), "{said}");
    }
}
