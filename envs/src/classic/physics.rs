//! What gym-rs 0.3 is asked for, one type per game, and what is put right before and after.
//!
//! Its environments hold a window (made only when one renders, which we never do), so they cannot change threads. What
//! travels is the state; an environment is made where the state is moved on, which takes well under a microsecond.
//!
//! `MountainCar` is Gymnasium's as it is. `CartPole` of gym-rs 0.3.0 is not `CartPole-v1`, in three places that are put right
//! here (compared with Gymnasium's `classic_control/cartpole.py`):
//!   * The product of the pole's mass and half length is computed as their sum: see [`MASS_SCALE`].
//!   * A game starts within 0.5 instead of 0.05 of the origin, often with a pole that has fallen already.
//!   * Neither game has a time limit; the batch counts steps.

use std::fmt::Debug;

use gym_rs::core::{ActionReward, Env};
use gym_rs::envs::classical_control::cartpole::{CartPoleEnv, CartPoleObservation};
use gym_rs::envs::classical_control::mountain_car::{MountainCarEnv, MountainCarObservation};
use gym_rs::spaces::BoxR;
use gym_rs::utils::custom::types::O64;
use gym_rs::utils::renderer::RenderMode;

use super::ClassicGame;

/// What a game is moved on by.
pub(super) trait Physics {
    /// Which game.
    const GAME: ClassicGame;
    /// All that one game remembers, except the number of its steps.
    type State: Copy + Debug + Send;

    /// An environment of gym-rs.
    fn new() -> Self;

    /// The state that a game with this seed starts in.
    fn start(&mut self, seed: u64) -> Self::State;

    /// Moves a game on by one step.
    fn step(&mut self, state: Self::State, action: u8) -> Moved<Self::State>;

    /// The numbers that are seen of a state, in the order of [`ClassicGame::feature_names`].
    fn features(state: Self::State) -> impl IntoIterator<Item = f64>;
}

/// What came of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved<S> {
    /// Where the game is now.
    pub(super) state: S,
    /// The step's reward.
    pub(super) reward: f32,
    /// Whether the game is over.
    pub(super) terminated: bool,
}

/// A pole on a cart.
pub(super) struct CartPole(CartPoleEnv);

/// k, by which both masses and the force are multiplied so that gym-rs's equations are the right ones.
///
/// Only ratios of masses and forces move the cart and the pole, so a common factor changes nothing:
///
/// ```text
/// temp      = (F + p theta_dot^2 sin theta) / M                                      M = m_cart + m_pole
/// theta_acc = (g sin theta - cos theta temp) / (l (4/3 - m_pole cos^2 theta / M))    p = m_pole l
/// x_acc     = temp - p theta_acc cos theta / M                                       gym-rs: p = m_pole + l
/// ```
///
/// With m the mass of the pole, the sum k m + l is the product k m l if k = l / (m (l - 1)) = 0.5 / (0.1 (0.5 - 1)) = -10.
const MASS_SCALE: f64 = -10.0;

/// Cart position, cart velocity, pole angle and angular velocity start within this of 0, each.
const CART_POLE_START: f64 = 0.05;

impl Physics for CartPole {
    const GAME: ClassicGame = ClassicGame::CartPole;
    type State = CartPoleObservation;

    fn new() -> Self {
        let mut env = CartPoleEnv::new(RenderMode::None);
        env.masscart *= MASS_SCALE;
        env.masspole *= MASS_SCALE;
        env.force_mag *= MASS_SCALE;
        Self(env)
    }

    fn start(&mut self, seed: u64) -> CartPoleObservation {
        let corner = |at: f64| {
            let at = O64::from(at);
            CartPoleObservation::new(at, at, at, at)
        };
        let bounds = BoxR::new(corner(-CART_POLE_START), corner(CART_POLE_START));
        self.0.reset(Some(seed), false, Some(bounds)).0
    }

    fn step(&mut self, state: CartPoleObservation, action: u8) -> Moved<CartPoleObservation> {
        self.0.state = state;
        // It would give no reward for the fall of a pole if another one had fallen before.
        self.0.steps_beyond_terminated = None;
        moved(self.0.step(action.into()))
    }

    fn features(state: CartPoleObservation) -> impl IntoIterator<Item = f64> {
        Vec::from(state)
    }
}

/// A car in a valley.
pub(super) struct MountainCar(MountainCarEnv);

impl Physics for MountainCar {
    const GAME: ClassicGame = ClassicGame::MountainCar;
    type State = MountainCarObservation;

    fn new() -> Self {
        Self(MountainCarEnv::new(RenderMode::None))
    }

    fn start(&mut self, seed: u64) -> MountainCarObservation {
        self.0.reset(Some(seed), false, None).0
    }

    fn step(&mut self, state: MountainCarObservation, action: u8) -> Moved<MountainCarObservation> {
        self.0.state = state;
        moved(self.0.step(action.into()))
    }

    fn features(state: MountainCarObservation) -> impl IntoIterator<Item = f64> {
        [state.position, state.velocity].map(O64::into_inner)
    }
}

fn moved<S, I>(step: ActionReward<S, I>) -> Moved<S> {
    #[expect(clippy::cast_possible_truncation, reason = "rewards are 1 and -1")]
    Moved {
        state: step.observation,
        reward: step.reward.into_inner() as f32,
        terminated: step.done,
    }
}
