//! What one step of an environment adds to the memory.

/// What one step of an environment brought.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// `a_t`
    pub action: u8,
    /// `r_t+1` as the learner sees it: whoever clips rewards has done so.
    pub reward: f32,
    /// What became of the game and of the return.
    pub ending: Ending<'a>,
    /// The newest frame of what the next action is chosen on; of the next game's first observation if one ended.
    pub next_frame: &'a [u8],
}

/// What became of the game and of the return at a step.
///
/// In the terms of a step batch (`terminated`, `truncated`, `game_over`): `None` where no flag is set, `LifeLost` where
/// only `terminated` is, `GameOver` where it is together with `game_over`, `Truncated` where `truncated` is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending<'a> {
    /// Both go on.
    None,
    /// The return ended, the game goes on: nothing is bootstrapped, and later stacks still show frames from before.
    LifeLost,
    /// Both ended.
    GameOver,
    /// A time limit cut both off: the return goes on with the value of the final observation.
    Truncated {
        /// The newest frame of that observation.
        final_frame: &'a [u8],
    },
}
