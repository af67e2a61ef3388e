//! Environments that remember how they came where they are, so that they can be brought there again.
//!
//! A seeded reset of an environment followed by the same actions gives the same observations, rewards and ends, whatever ran
//! before and whatever the other environments of the batch do (checked with ale-py 0.12.1, with and without sticky actions). So
//! one seed and one byte a step are all that has to be kept. A [`Recording`] must not grow for ever: an environment that has
//! taken `period_steps` steps since its last seeded reset gets another one at the end of its game, instead of the emulator's own
//! reset. That depends on nothing but steps, so whoever plays the same actions resets at the same points.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{BatchEnv, EnvError, EnvSpec, StepBatch};

/// How one environment came where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// Seeded resets before the last one.
    pub n_earlier_resets: u64,
    /// Seed of the last one.
    pub seed: u32,
    /// What was done since, a byte for each step.
    pub actions: Vec<u8>,
    /// What came of it, folded into one number.
    pub digest: u64,
}

/// Steps that one environment took one after the other, with no reset among them but the emulator's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Seed of the reset that it begins with; `None` where it goes on from the stretch before.
    pub seed: Option<u32>,
    /// A byte for each step.
    pub actions: Vec<u8>,
}

/// The recordings of a batch, to be read while it is in other hands.
///
/// They are marked where their run could go on from. A failure in the middle of a rollout leaves some environments further than
/// others, and all of them further than the agent; what is read then is what there was at the mark.
#[derive(Clone, Debug)]
pub struct Recordings(Arc<Mutex<Vec<Track>>>);

/// One environment's recording, where it was marked last, and what nobody has taken of it yet.
#[derive(Debug, Default)]
struct Track {
    now: Recording,
    mark: Mark,
    /// Steps of `now` that were taken.
    n_taken: usize,
    /// What was not taken of the recordings before. A byte a step: it stays small even where nobody ever takes it.
    earlier: Vec<Stretch>,
}

/// Where a recording stood.
#[derive(Debug, Default)]
struct Mark {
    n_actions: usize,
    digest: u64,
    /// The recording itself, if a reset has begun another one since.
    replaced: Option<Recording>,
}

/// The seed of an environment's reset, from the number of resets before it and the environment's index in the batch.
pub type SeedRule = Box<dyn Fn(u64, usize) -> u32 + Send>;

/// A game that goes on: what a player has seen of it since its first observation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GameSoFar {
    /// Sum of its raw rewards.
    pub score: f64,
    /// Its steps.
    pub length_steps: u64,
}

/// A batch that is recorded.
pub struct RecordedBatch {
    inner: Box<dyn BatchEnv>,
    recordings: Recordings,
    period_steps: usize,
    seed_rule: SeedRule,
}

impl Recordings {
    /// As they are now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Recording> {
        self.with(|tracks| tracks.iter().map(|track| track.now.clone()).collect())
    }

    /// As they were when they were last marked. A reset of the whole batch and a rebuilding mark them too.
    #[must_use]
    pub fn marked(&self) -> Vec<Recording> {
        self.with(|tracks| tracks.iter().map(Track::marked).collect())
    }

    /// Marks where they are now. To be called between two steps.
    pub fn mark(&self) {
        self.with(|tracks| tracks.iter_mut().for_each(Track::set_mark));
    }

    /// What each environment did since this was last asked, or since its batch was reset or rebuilt: its steps in order, none
    /// twice and none left out.
    #[must_use]
    pub fn take_new(&self) -> Vec<Vec<Stretch>> {
        self.with(|tracks| tracks.iter_mut().map(Track::take_new).collect())
    }

    fn with<R>(&self, work: impl FnOnce(&mut Vec<Track>) -> R) -> R {
        // Whoever panicked was the batch itself, whose run is over.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Track {
    /// A track of which everything up to now is known to whoever will ask, and that is marked here.
    fn known(now: Recording) -> Self {
        let mut track = Self {
            n_taken: now.actions.len(),
            now,
            ..Self::default()
        };
        track.set_mark();
        track
    }

    fn set_mark(&mut self) {
        self.mark = Mark {
            n_actions: self.now.actions.len(),
            digest: self.now.digest,
            replaced: None,
        };
    }

    /// The recording as it was at the mark.
    fn marked(&self) -> Recording {
        let Mark {
            n_actions,
            digest,
            replaced,
        } = &self.mark;
        let marked = replaced.as_ref().unwrap_or(&self.now);
        Recording {
            n_earlier_resets: marked.n_earlier_resets,
            seed: marked.seed,
            actions: marked.actions[..*n_actions].to_vec(),
            digest: *digest,
        }
    }

    /// Begins anew with a seed.
    fn reseed(&mut self, seed: u32) {
        let n_earlier_resets = self.now.n_earlier_resets + 1;
        let past = std::mem::take(&mut self.now);
        if self.n_taken < past.actions.len() {
            self.earlier.push(Stretch {
                seed: (self.n_taken == 0).then_some(past.seed),
                actions: past.actions[self.n_taken..].to_vec(),
            });
        }
        self.n_taken = 0;
        self.mark.replaced.get_or_insert(past);
        self.now = Recording {
            n_earlier_resets,
            seed,
            ..Recording::default()
        };
    }

    fn take_new(&mut self) -> Vec<Stretch> {
        let mut news = std::mem::take(&mut self.earlier);
        let Recording { seed, actions, .. } = &self.now;
        if self.n_taken < actions.len() {
            news.push(Stretch {
                seed: (self.n_taken == 0).then_some(*seed),
                actions: actions[self.n_taken..].to_vec(),
            });
            self.n_taken = actions.len();
        }
        news
    }
}

impl RecordedBatch {
    /// Records `inner`, which is not reset yet. Seeds after the first come from `seed_rule`.
    pub fn new(inner: Box<dyn BatchEnv>, period_steps: usize, seed_rule: SeedRule) -> Self {
        Self {
            inner,
            recordings: Recordings(Arc::default()),
            period_steps,
            seed_rule,
        }
    }

    /// A handle of the recordings.
    pub fn recordings(&self) -> Recordings {
        self.recordings.clone()
    }

    /// Brings every environment where its recording ends, and writes the observations there. Environments with shorter
    /// recordings begin later, so that all arrive together: it takes as many steps as the longest recording has. Before each of
    /// them `go_on` is asked.
    ///
    /// # Errors
    /// There is not one recording for each environment, something else came of the same actions, `go_on` said no, or those of
    /// [`BatchEnv::reset`] and the steps.
    pub fn rebuild(
        &mut self,
        recordings: Vec<Recording>,
        out: &mut StepBatch,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Vec<GameSoFar>, EnvError> {
        let spec = *self.spec();
        if recordings.len() != spec.n_envs {
            return Err(EnvError::WrongLength {
                what: "recordings",
                expected: spec.n_envs,
                got: recordings.len(),
            });
        }
        let n_steps = recordings.iter().map(|recording| recording.actions.len());
        let longest = n_steps.clone().max().unwrap_or(0);
        let starts: Vec<usize> = n_steps.map(|n| longest - n).collect();
        let seeds: Vec<u32> = recordings.iter().map(|recording| recording.seed).collect();
        let mut retraced = vec![(GameSoFar::default(), 0_u64); spec.n_envs];
        let mut actions = vec![0; spec.n_envs];
        self.inner.reset(&seeds, out)?;
        for t in 0..=longest {
            let late: Vec<usize> = (0..spec.n_envs)
                .filter(|&env| t > 0 && starts[env] == t)
                .collect();
            if !late.is_empty() {
                let seeds: Vec<u32> = late.iter().map(|&env| seeds[env]).collect();
                self.inner.reset_some(&late, &seeds, out)?;
            }
            if t == longest {
                break;
            }
            if !go_on() {
                return Err(EnvError::Stopped);
            }
            for ((action, recording), &start) in actions.iter_mut().zip(&recordings).zip(&starts) {
                *action = t.checked_sub(start).map_or(0, |t| recording.actions[t]);
            }
            self.inner.send(&actions)?;
            self.inner.recv(out)?;
            for (env, (game, digest)) in retraced.iter_mut().enumerate() {
                if t >= starts[env] {
                    let _ = game.step(out.reward[env], out.game_over[env]);
                    *digest = fold(*digest, out, env, &spec);
                }
            }
        }
        out.clear_outcome();
        for (env_idx, (recording, (_, digest))) in recordings.iter().zip(&retraced).enumerate() {
            if recording.digest != *digest {
                return Err(EnvError::OtherPast { env_idx });
            }
        }
        let tracks = recordings.into_iter().map(Track::known).collect();
        self.recordings.with(|own| *own = tracks);
        Ok(retraced.into_iter().map(|(game, _)| game).collect())
    }
}

impl BatchEnv for RecordedBatch {
    fn spec(&self) -> &EnvSpec {
        self.inner.spec()
    }

    fn reset(&mut self, seeds: &[u32], out: &mut StepBatch) -> Result<(), EnvError> {
        self.inner.reset(seeds, out)?;
        let begin = |&seed| {
            Track::known(Recording {
                seed,
                ..Recording::default()
            })
        };
        self.recordings
            .with(|tracks| *tracks = seeds.iter().map(begin).collect());
        Ok(())
    }

    fn reset_some(
        &mut self,
        env_idxs: &[usize],
        seeds: &[u32],
        out: &mut StepBatch,
    ) -> Result<(), EnvError> {
        self.inner.reset_some(env_idxs, seeds, out)?;
        self.recordings.with(|tracks| {
            for (&env, &seed) in env_idxs.iter().zip(seeds) {
                tracks[env].reseed(seed);
            }
        });
        Ok(())
    }

    fn send(&mut self, actions: &[u8]) -> Result<(), EnvError> {
        self.inner.send(actions)?;
        self.recordings.with(|tracks| {
            for (track, &action) in tracks.iter_mut().zip(actions) {
                track.now.actions.push(action);
            }
        });
        Ok(())
    }

    fn recv(&mut self, out: &mut StepBatch) -> Result<(), EnvError> {
        self.inner.recv(out)?;
        let spec = *self.inner.spec();
        let (period_steps, seed_rule) = (self.period_steps, &self.seed_rule);
        let due: Vec<(usize, u32)> = self.recordings.with(|tracks| {
            let mut due = Vec::new();
            for (env, Track { now: recording, .. }) in tracks.iter_mut().enumerate() {
                recording.digest = fold(recording.digest, out, env, &spec);
                if out.game_over[env] && recording.actions.len() >= period_steps {
                    due.push((env, seed_rule(recording.n_earlier_resets + 1, env)));
                }
            }
            due
        });
        if due.is_empty() {
            return Ok(());
        }
        let (env_idxs, seeds): (Vec<_>, Vec<_>) = due.into_iter().unzip();
        self.reset_some(&env_idxs, &seeds, out)
    }
}

impl std::fmt::Debug for RecordedBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordedBatch")
            .field("spec", self.inner.spec())
            .field("period_steps", &self.period_steps)
            .finish_non_exhaustive()
    }
}

impl GameSoFar {
    /// Counts a step. If the game is over with it, returns the game, and another one begins.
    pub fn step(&mut self, reward: f32, game_over: bool) -> Option<Self> {
        self.score += f64::from(reward);
        self.length_steps += 1;
        game_over.then(|| std::mem::take(self))
    }
}

/// Takes what came of a step into a digest: reward, flags, and one byte in about a hundred of the observation, which together
/// over many steps leave no difference unseen. After FNV-1a (64 bits), with an addition so that zeros count too.
fn fold(digest: u64, out: &StepBatch, env: usize, spec: &EnvSpec) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    const STRIDE: usize = 97;
    let obs = &out.obs[env * spec.obs_len()..(env + 1) * spec.obs_len()];
    let flags = [out.terminated[env], out.truncated[env], out.game_over[env]];
    let reward = out.reward[env].to_bits();
    let bytes = reward.to_le_bytes().into_iter().chain(flags.map(u8::from));
    bytes
        .chain(obs.iter().copied().step_by(STRIDE))
        .fold(digest, |digest, byte| {
            (digest ^ u64::from(byte))
                .wrapping_mul(PRIME)
                .wrapping_add(1)
        })
}
