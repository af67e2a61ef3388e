//! From a protocol to what `ALEVectorInterface` is called with.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{EnvConfig, EnvError, EnvSpec, ObsShape, Protocol};

/// What an observation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The last grey pictures, as the protocol says.
    Grey,
    /// One picture of the console's own size, red, green and blue of each pixel together.
    Colour {
        /// Rows of the console's screen.
        height: usize,
        /// Its columns.
        width: usize,
    },
}

impl View {
    /// What the environments of `config` have in common when they are seen so. In colour the three channels come last.
    pub(super) fn spec(self, config: &EnvConfig) -> EnvSpec {
        let spec = config.spec();
        match self {
            Self::Grey => spec,
            Self::Colour { height, width } => EnvSpec {
                obs_shape: ObsShape::Frames([3, height, width]),
                ..spec
            },
        }
    }
}

/// The named arguments of `ALEVectorInterface`; every one is given, so that no default of ale-py decides a number.
pub(super) fn arguments<'py>(
    py: Python<'py>,
    config: &EnvConfig,
    view: View,
) -> PyResult<Bound<'py, PyDict>> {
    let protocol = &config.protocol;
    let (n_pictures, height, width) = match view {
        View::Grey => (
            protocol.frame_stack,
            protocol.screen_size,
            protocol.screen_size,
        ),
        View::Colour { height, width } => (1, height, width),
    };
    let kwargs = PyDict::new(py);
    kwargs.set_item("frame_skip", protocol.frame_skip)?;
    kwargs.set_item("stack_num", n_pictures)?;
    kwargs.set_item("img_height", height)?;
    kwargs.set_item("img_width", width)?;
    kwargs.set_item("grayscale", view == View::Grey)?;
    kwargs.set_item("maxpool", true)?;
    kwargs.set_item("noop_max", protocol.noop_max)?;
    kwargs.set_item("use_fire_reset", protocol.fire_on_reset)?;
    kwargs.set_item("episodic_life", false)?;
    kwargs.set_item("life_loss_info", protocol.life_loss_ends_return)?;
    kwargs.set_item("reward_clipping", false)?;
    kwargs.set_item("max_episode_steps", protocol.max_frames_per_game)?;
    kwargs.set_item("repeat_action_probability", protocol.sticky_action_prob)?;
    kwargs.set_item("full_action_space", protocol.full_action_space)?;
    kwargs.set_item("batch_size", config.n_envs)?;
    kwargs.set_item("num_threads", config.n_threads.min(config.n_envs))?;
    kwargs.set_item("thread_affinity_offset", -1)?;
    kwargs.set_item("autoreset_mode", "SameStep")?;
    Ok(kwargs)
}

/// Refuses rules that ALE would take for something else, or die of.
pub(super) fn check_protocol(protocol: &Protocol) -> Result<(), EnvError> {
    let check = |what, is_fine: bool, expected: &str, got: String| {
        if is_fine {
            return Ok(());
        }
        Err(EnvError::OutOfRange {
            what,
            expected: expected.to_owned(),
            got,
        })
    };
    let probability = protocol.sticky_action_prob;
    check(
        "sticky_action_prob",
        (0.0..=1.0).contains(&probability),
        "0 to 1",
        probability.to_string(),
    )?;
    let within = |what, got: usize, max: usize| {
        check(
            what,
            (1..=max).contains(&got),
            &format!("1 to {max}"),
            got.to_string(),
        )
    };
    within("frame_skip", protocol.frame_skip as usize, 60)?;
    within("frame_stack", protocol.frame_stack, 64)?;
    within("screen_size", protocol.screen_size, 210)?;
    within(
        "max_frames_per_game",
        protocol.max_frames_per_game as usize,
        i32::MAX as usize,
    )?;
    within(
        "noop_max + 1",
        (protocol.noop_max as usize).saturating_add(1),
        100_000,
    )
}
