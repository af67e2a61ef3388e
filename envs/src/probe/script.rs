//! What happens in each probe: how a game starts, what an action does, what is seen.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ProbeWorld, SIZE};

/// The pixel value of what is bright.
pub(super) const BRIGHT: u8 = 255;

/// Pixels, height and width of the square of `probe:position`.
const SQUARE: usize = 6;

/// The step at which a faulty world fails, counted from 1 over all games since reset.
pub(super) const FAULT_STEP: u64 = 50;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The game goes on.
    None,
    /// A life is lost, the game goes on.
    LifeLost,
    /// The game is over.
    Terminated,
    /// The game is cut off.
    Truncated,
}

/// One environment's state. Its random numbers depend on its seed alone, so it plays alone as it does in a batch.
#[derive(Clone, Debug)]
pub(super) struct Script {
    world: ProbeWorld,
    rng: ChaCha8Rng,
    /// Steps of the current game.
    step_idx: u32,
    /// `probe:sign`: 0 dark, 1 bright.
    shade: u8,
    /// `probe:position`: upper left corner of the square, (row, column).
    corner: (usize, usize),
}

impl Script {
    /// An environment at the start of its first game.
    pub(super) fn new(world: ProbeWorld, seed: u32) -> Self {
        let mut script = Self {
            world,
            rng: ChaCha8Rng::seed_from_u64(u64::from(seed)),
            step_idx: 0,
            shade: 0,
            corner: (0, 0),
        };
        script.start_game();
        script
    }

    /// Starts the next game.
    pub(super) fn start_game(&mut self) {
        self.step_idx = 0;
        self.draw_lots();
    }

    /// What the next picture shows, where that is random.
    fn draw_lots(&mut self) {
        match self.world {
            ProbeWorld::Sign => self.shade = u8::from(self.rng.random::<bool>()),
            ProbeWorld::Position => {
                // The square lies within one quadrant: its corner and every pixel of it name the same one.
                let half = SIZE / 2;
                let mut place = || {
                    let within = self.rng.random_range(0..=half - SQUARE);
                    within + half * usize::from(self.rng.random::<bool>())
                };
                self.corner = (place(), place());
            }
            _ => {}
        }
    }

    /// Plays one step: its reward and how it ended.
    pub(super) fn step(&mut self, action: u8) -> (f32, Ending) {
        self.step_idx += 1;
        let ends_at = |n_steps, ending| {
            if self.step_idx == n_steps {
                ending
            } else {
                Ending::None
            }
        };
        let outcome = match self.world {
            ProbeWorld::Constant => (1.0, Ending::Terminated),
            ProbeWorld::Delayed => {
                let ending = ends_at(2, Ending::Terminated);
                (if ending == Ending::None { 0.0 } else { 1.0 }, ending)
            }
            ProbeWorld::Action => (if action == 1 { 1.0 } else { -1.0 }, Ending::Terminated),
            ProbeWorld::Sign => (
                if action == self.shade { 1.0 } else { -1.0 },
                Ending::Terminated,
            ),
            ProbeWorld::Position => {
                let is_right = action == quadrant(self.corner.0, self.corner.1);
                (
                    f32::from(u8::from(is_right)),
                    ends_at(8, Ending::Terminated),
                )
            }
            ProbeWorld::Truncated => (1.0, ends_at(5, Ending::Truncated)),
            ProbeWorld::Terminated => (1.0, ends_at(5, Ending::Terminated)),
            ProbeWorld::Lives => match self.step_idx {
                6 => (1.0, Ending::Terminated),
                2 | 4 => (1.0, Ending::LifeLost),
                _ => (1.0, Ending::None),
            },
            ProbeWorld::Fails | ProbeWorld::Panics => (1.0, ends_at(10, Ending::Terminated)),
            // Its first game is not over when it hangs, so that an evaluation comes there too.
            ProbeWorld::Hangs => (1.0, ends_at(60, Ending::Terminated)),
        };
        self.draw_lots();
        outcome
    }

    /// Lives left.
    pub(super) fn lives(&self) -> u32 {
        if self.world == ProbeWorld::Lives {
            3 - self.step_idx / 2
        } else {
            0
        }
    }

    /// Draws the observation, `[1, 36, 36]`.
    pub(super) fn draw(&self, out: &mut [u8]) {
        out.fill(self.background());
        if self.world == ProbeWorld::Position {
            let (row, column) = self.corner;
            for line in out.chunks_exact_mut(SIZE).skip(row).take(SQUARE) {
                line[column..column + SQUARE].fill(BRIGHT);
            }
        }
    }

    fn background(&self) -> u8 {
        match self.world {
            ProbeWorld::Sign => BRIGHT * self.shade,
            ProbeWorld::Delayed => {
                if self.step_idx == 0 {
                    0
                } else {
                    BRIGHT
                }
            }
            ProbeWorld::Lives => {
                if self.step_idx.is_multiple_of(2) {
                    0
                } else {
                    BRIGHT
                }
            }
            // Each step of the game has a grey of its own.
            ProbeWorld::Truncated | ProbeWorld::Terminated => {
                50 * u8::try_from(self.step_idx).unwrap_or(5)
            }
            _ => 0,
        }
    }
}

/// The quadrant of a pixel: 0 upper left, 1 upper right, 2 lower left, 3 lower right.
pub(super) fn quadrant(row: usize, column: usize) -> u8 {
    2 * u8::from(row >= SIZE / 2) + u8::from(column >= SIZE / 2)
}
