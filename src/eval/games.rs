//! Plays games side by side. Environment e plays the games e, e + N, e + 2N and so on, of N environments.

use anyhow::Result;
use rlrun_envs::{BatchEnv, GameSoFar, StepBatch};

use crate::player::{Move, Player};
use crate::run::screen::Screen;
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
    screen: &Screen,
) -> Result<Option<Vec<PlayedGame>>> {
    let spec = *env.spec();
    let mut seats: Vec<Seat> = (0..spec.n_envs).map(Seat::new).collect();
    let seeds: Vec<u32> = seats
        .iter()
        .map(|seat| player.env_seed(seat.game))
        .collect();
    let mut batch = StepBatch::new(&spec);
    env.reset(&seeds, &mut batch)?;
    let mut played: Vec<PlayedGame> = Vec::new();
    let mut progress = Tenths::new(n_games);
    while played.len() < n_games {
        if stop.is_requested() {
            return Ok(None);
        }
        let actions = choose(player, &seats, &batch.obs, n_games);
        env.send(&actions)?;
        env.recv(&mut batch)?;
        let mut over = Vec::new();
        for (idx, seat) in seats.iter_mut().enumerate() {
            let game = seat.game;
            let Some(done) = seat.step(&batch, idx, n_games, spec.n_envs) else {
                continue;
            };
            played.push(PlayedGame {
                game,
                env: idx,
                seed: player.env_seed(game),
                score: done.score,
                length_steps: done.length_steps,
            });
            if seat.game < n_games {
                over.push(idx);
            }
        }
        if !over.is_empty() {
            let seeds: Vec<u32> = over
                .iter()
                .map(|&idx| player.env_seed(seats[idx].game))
                .collect();
            env.reset_some(&over, &seeds, &mut batch)?;
        }
        progress.say(played.len(), screen);
    }
    played.sort_by_key(|game| game.game);
    Ok(Some(played))
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

/// Says how far it is, ten times in all.
struct Tenths {
    n_games: usize,
    said: usize,
}

impl Tenths {
    fn new(n_games: usize) -> Self {
        Self { n_games, said: 0 }
    }

    fn say(&mut self, n_played: usize, screen: &Screen) {
        let tenth = n_played * 10 / self.n_games;
        if tenth > self.said {
            self.said = tenth;
            screen.say(&format!("{n_played} of {} games", self.n_games));
        }
    }
}
