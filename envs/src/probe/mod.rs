//! Scripted worlds with known answers: an agent that fails one of them has a named bug.
//!
//! One picture of 36 x 36 pixels (the smallest the Nature torso takes), one channel, seeded, no Python. Source of the
//! first four: the probe environments of Andy Jones, "Debugging RL, Without the Agonizing Pain"; the rest are ours.
//!
//! | world | a game | right answer (gamma: discount) | what fails if it is wrong |
//! |---|---|---|---|
//! | `probe:constant` | 1 step, reward 1 | V = 1 | value loss, optimizer |
//! | `probe:delayed` | dark, then bright picture; reward 1 at the end | V = gamma, then 1 | discounting, returns |
//! | `probe:action` | 1 step; action 1 pays +1, action 0 pays -1 | action 1, V = 1 | policy gradient, sign of the advantage |
//! | `probe:sign` | 1 step; the action of the picture (0 dark, 1 bright) pays +1, the other -1 | V = 1 | mixed-up observations or actions |
//! | `probe:position` | 8 steps; the action of the bright square's quadrant (0..4, by rows) pays 1 | 8 points | what blurs places |
//! | `probe:truncated` | 1 per step, cut off after 5 | V = 1 / (1 - gamma) in every state | bootstrap at truncation |
//! | `probe:terminated` | 1 per step, over after 5 | V = (1 - gamma^k) / (1 - gamma), k steps left | bootstrap at termination |
//! | `probe:lives` | 3 lives of 2 steps, 1 per step | V = 1 + gamma, then 1, if a lost life ends returns | life loss taken for game over |
//! | `probe:fails` | `recv` returns an error at its 50th step | the run ends with that cause | fault handling |
//! | `probe:panics` | `recv` panics at its 50th step | the run ends with that cause | fault handling |
//! | `probe:hangs` | `recv` never comes back from its 50th step | the run ends and names the actor | the watchdog |
//!
//! [`ProbeWorld::best_action`] knows the actions.

mod batch;
mod script;

pub(crate) use batch::ProbeBatch;

/// Height and width of a probe's picture, in pixels.
const SIZE: usize = 36;
/// Channels, height, width of an observation.
pub(crate) const OBS_SHAPE: [usize; 3] = [1, SIZE, SIZE];

/// A scripted world. The table at the head of this module's file says what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeWorld {
    /// One step, reward 1.
    Constant,
    /// Two steps, reward 1 at the end.
    Delayed,
    /// One step, the action decides the reward.
    Action,
    /// One step, picture and action decide the reward.
    Sign,
    /// Eight steps, the position of a square on the screen decides which action is right.
    Position,
    /// Reward 1 per step, truncated after five.
    Truncated,
    /// Reward 1 per step, terminated after five.
    Terminated,
    /// Three lives of two steps.
    Lives,
    /// `recv` fails at its 50th step.
    Fails,
    /// `recv` panics at its 50th step.
    Panics,
    /// `recv` never comes back from its 50th step.
    Hangs,
}

impl ProbeWorld {
    /// All probes, the faulty ones last.
    pub const ALL: [Self; 11] = [
        Self::Constant,
        Self::Delayed,
        Self::Action,
        Self::Sign,
        Self::Position,
        Self::Truncated,
        Self::Terminated,
        Self::Lives,
        Self::Fails,
        Self::Panics,
        Self::Hangs,
    ];

    /// The canonical name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "probe:constant",
            Self::Delayed => "probe:delayed",
            Self::Action => "probe:action",
            Self::Sign => "probe:sign",
            Self::Position => "probe:position",
            Self::Truncated => "probe:truncated",
            Self::Terminated => "probe:terminated",
            Self::Lives => "probe:lives",
            Self::Fails => "probe:fails",
            Self::Panics => "probe:panics",
            Self::Hangs => "probe:hangs",
        }
    }

    /// Actions `0..n_actions` exist.
    pub fn n_actions(self) -> usize {
        if self == Self::Position { 4 } else { 2 }
    }

    /// The best action on the observation `obs` (`[1, 36, 36]`), from nothing but its pixels; 0 where all are equal.
    pub fn best_action(self, obs: &[u8]) -> u8 {
        match self {
            Self::Action => 1,
            Self::Sign => u8::from(obs[0] != 0),
            Self::Position => {
                let brightest = obs
                    .iter()
                    .position(|&pixel| pixel == script::BRIGHT)
                    .unwrap_or(0);
                script::quadrant(brightest / SIZE, brightest % SIZE)
            }
            _ => 0,
        }
    }
}
