//! What can be wrong with a replay memory and with what is asked of it.

/// Why a memory was not made, not restored, or did not give a batch.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// A size that must be at least 1.
    #[error("a replay memory needs {what} of at least 1")]
    Zero {
        /// Which one.
        what: &'static str,
    },
    /// No transition would ever be complete.
    #[error(
        "n_step {n_step} does not fit into the {window} transitions that each environment keeps; enlarge the replay memory or \
         lower n_step"
    )]
    NStepTooLong {
        /// Steps of a return.
        n_step: usize,
        /// Slots of a lane's window.
        window: usize,
    },
    /// More slots are to be found late than there are beyond the window.
    #[error("{late} of {slack} slots beyond the window are to be found again")]
    LateTooLong {
        /// How many are to be found.
        late: usize,
        /// How many there are.
        slack: usize,
    },
    /// A setting outside its range.
    #[error("{what} is {value}, expected {expected}")]
    OutOfRange {
        /// Which one.
        what: &'static str,
        /// What is possible.
        expected: &'static str,
        /// What was given.
        value: f64,
    },
    /// More than this machine can address.
    #[error("a replay memory of {bytes} bytes cannot be addressed")]
    TooLarge {
        /// Its size, or the largest number there is.
        bytes: u64,
    },
    /// The region was made for another shape.
    #[error("the region has {got} bytes, expected {expected}")]
    RegionLength {
        /// What the shape needs.
        expected: u64,
        /// What the region has.
        got: usize,
    },
    /// The state was saved by a memory of another shape, or is damaged.
    #[error("the saved state does not fit the replay memory: {what} is {got}, expected {expected}")]
    OtherState {
        /// Which part.
        what: &'static str,
        /// What the shape asks for.
        expected: usize,
        /// What the state says.
        got: usize,
    },
    /// A priority that such a slot cannot have.
    #[error("the saved priority {priority} of slot {slot} of lane {lane} does not fit it")]
    OtherPriority {
        /// Environment.
        lane: usize,
        /// Its slot.
        slot: usize,
        /// What was saved.
        priority: f32,
    },
    /// There is no complete transition yet.
    #[error("the replay memory holds no complete transition yet")]
    Empty,
    /// A saved slot is not in the window.
    #[error("slot {slot} is not in the replay memory, or its transition is not complete")]
    NotThere {
        /// As it stands in a batch.
        slot: i64,
    },
    /// The memory was made for uniform replay.
    #[error("the replay memory keeps no priorities")]
    NotPrioritized,
    /// A temporal-difference error that is no number.
    #[error("the temporal-difference error of slot {slot} is {td_error}")]
    NotFinite {
        /// As it stands in a batch.
        slot: i64,
        /// What was given.
        td_error: f32,
    },
}
