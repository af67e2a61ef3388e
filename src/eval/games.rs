//! Plays games side by side. Environment e plays the games e, e + N, e + 2N and so on, of N environments.

use anyhow::Result;
use rlrun_envs::{BatchEnv, GameSoFar, StepBatch};

use crate::player::{Move, Player};
use crate::run::progress::{GameProgress, PlayedSoFar};
use crate::run::stop::StopFlag;

/// A game that was played to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PlayedGame {
    /// Its number, from 0.
    pub(super) game: usize,
    /// Which environment played it.
    pub(super) env: usize,
    /// The seed of the environment's reset.
    pub(super) seed: u32,
    /// Raw score.
    pub(super) score: f64,
    /// Agent steps.
    pub(super) length_steps: u64,
}

/// What an environment is at.
#[derive(Clone, Copy, Debug)]
struct Seat {
    /// Number of its game; as great as that of all games or greater once it has played all of its own.
    game: usize,
    so_far: GameSoFar,
}

/// Plays `n_games` games, in their order; nothing if a stop was asked for first.
///
/// # Errors
/// If an emulator failed.
pub(super) fn play(
    mut env: Box<dyn BatchEnv>,
    player: &mut Player,
    n_games: usize,
    stop: &StopFlag,
    progress: &mut GameProgress,
) -> Result<Option<Vec<PlayedGame>>> {
    let spec = *env.spec();
    let mut seats: Vec<Seat> = (0..spec.n_envs).map(Seat::new).collect();
    let seeds: Vec<u32> = seats.iter().map(|seat| seat.seed(player)).collect();
    let mut batch = StepBatch::new(&spec);
    env.reset(&seeds, &mut batch)?;
    let mut played: Vec<PlayedGame> = Vec::new();
    let mut so_far = PlayedSoFar::default();
    while played.len() < n_games {
        if stop.is_requested() {
            return Ok(None);
        }
        let actions = choose(player, &seats, &batch.obs, n_games);
        env.send(&actions)?;
        env.recv(&mut batch)?;
        so_far.n_steps += seats.iter().filter(|seat| seat.game < n_games).count() as u64;
        let over = games_over(&mut seats, &batch, player, n_games);
        so_far.n_games += over.len();
        so_far.score_sum += over.iter().map(|game| game.score).sum::<f64>();
        let has_next = |game: &&PlayedGame| seats[game.env].game < n_games;
        let next: Vec<usize> = over.iter().filter(has_next).map(|game| game.env).collect();
        if !next.is_empty() {
            let seeds: Vec<u32> = next.iter().map(|&idx| seats[idx].seed(player)).collect();
            env.reset_some(&next, &seeds, &mut batch)?;
        }
        played.extend(over);
        progress.update(so_far);
    }
    played.sort_by_key(|game| game.game);
    Ok(Some(played))
}

/// The games that are over with a step, in the order of the environments, whose next games begin.
fn games_over(
    seats: &mut [Seat],
    batch: &StepBatch,
    player: &Player,
    n_games: usize,
) -> Vec<PlayedGame> {
    let n_envs = seats.len();
    let mut over = Vec::new();
    for (env, seat) in seats.iter_mut().enumerate() {
        let (game, seed) = (seat.game, seat.seed(player));
        if let Some(done) = seat.step(batch, env, n_games, n_envs) {
            over.push(PlayedGame {
                game,
                env,
                seed,
                score: done.score,
                length_steps: done.length_steps,
            });
        }
    }
    over
}

/// The actions of all environments; those without a game take the first there is.
fn choose(player: &mut Player, seats: &[Seat], obs: &[u8], n_games: usize) -> Vec<u8> {
    let obs_len = obs.len() / seats.len();
    let rows = seats.iter().zip(obs.chunks_exact(obs_len)).enumerate();
    let (idxs, moves): (Vec<usize>, Vec<Move<'_>>) = rows
        .filter(|(_, (seat, _))| seat.game < n_games)
        .map(|(idx, (seat, obs))| {
            let t = seat.so_far.length_steps;
            let game = seat.game;
            (idx, Move { game, t, obs })
        })
        .unzip();
    let mut actions = vec![0; seats.len()];
    for (idx, action) in idxs.into_iter().zip(player.choose(&moves)) {
        actions[idx] = action;
    }
    actions
}

impl Seat {
    fn new(game: usize) -> Self {
        Self {
            game,
            so_far: GameSoFar::default(),
        }
    }

    /// The seed of its game's environment.
    fn seed(&self, player: &Player) -> u32 {
        player.env_seed(self.game)
    }

    /// Takes in a step, and returns the game if it is over with it; the next one then begins.
    fn step(
        &mut self,
        batch: &StepBatch,
        env: usize,
        n_games: usize,
        n_envs: usize,
    ) -> Option<GameSoFar> {
        if self.game >= n_games {
            return None;
        }
        let done = self.so_far.step(batch.reward[env], batch.game_over[env])?;
        self.game += n_envs;
        Some(done)
    }
}
