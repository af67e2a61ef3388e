//! The watchdog: tells an actor that takes its time from one that will never answer.
//!
//! An exception inside one of ALE's own threads never reaches `recv`, which then waits for ever. So whoever waits for actors
//! waits in ticks and counts those that brought nothing. A tick is at most counted as its own length, however late it ended: a
//! process that was suspended (SIGSTOP, a closed lid, a debugger) finds that one tick has passed, and time on the wall does not
//! count. There is no thread and no clock beside the one that waits.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::config::grouped;

/// So long is waited at once.
const TICK: Duration = Duration::from_millis(250);
const TICKS_PER_SECOND: u64 = 4;

/// How long is waited for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watchdog {
    seconds: u64,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody answered in time.
    TooLong,
    /// Nobody is left who could.
    AllGone,
}

/// What an actor is doing, to be read by others while it does not answer.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    part: AtomicU8,
    n_steps: AtomicU64,
}

/// A part of an actor's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    /// Waiting for an order.
    Idle,
    /// Beginning new games.
    Resetting,
    /// Handing over actions.
    Sending,
    /// Waiting for what follows.
    Receiving,
}

impl Watchdog {
    /// One that waits for so many seconds of running time; for ever if they are 0.
    pub(crate) fn new(seconds: u64) -> Self {
        Self { seconds }
    }

    /// How long it waits.
    pub(crate) fn seconds(self) -> u64 {
        self.seconds
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// There was none.
    pub(crate) fn wait<T>(self, answers: &Receiver<T>) -> Result<T, Silence> {
        if self.seconds == 0 {
            return answers.recv().map_err(|_| Silence::AllGone);
        }
        for _ in 0..self.seconds.saturating_mul(TICKS_PER_SECOND) {
            match answers.recv_timeout(TICK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::AllGone),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Err(Silence::TooLong)
    }
}

impl Activity {
    /// Begins a part of the work.
    pub(crate) fn begin(&self, part: Part) {
        self.part.store(part as u8, Ordering::Relaxed);
        if part == Part::Sending {
            self.n_steps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = grouped(self.n_steps.load(Ordering::Relaxed));
        match self.part.load(Ordering::Relaxed) {
            part if part == Part::Resetting as u8 => f.write_str("beginning new games"),
            part if part == Part::Sending as u8 => {
                write!(f, "handing over the actions of its step {step}")
            }
            part if part == Part::Receiving as u8 => {
                write!(f, "waiting for its environments to finish its step {step}")
            }
            _ => f.write_str("waiting for an order"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn silence_is_told_from_an_answer_and_from_nobody() {
        let (sender, answers) = bounded(1);
        let watchdog = Watchdog::new(1);
        sender.send(3).unwrap();
        assert_eq!(watchdog.wait(&answers), Ok(3));
        let start = Instant::now();
        assert_eq!(watchdog.wait(&answers), Err(Silence::TooLong));
        assert!(start.elapsed() >= Duration::from_secs(1));
        drop(sender);
        for seconds in [0, 1] {
            let silence = Watchdog::new(seconds).wait(&answers);
            assert_eq!(silence, Err(Silence::AllGone));
        }
    }

    #[test]
    fn an_activity_says_what_is_done_and_at_which_step() {
        let activity = Activity::default();
        assert_eq!(activity.to_string(), "waiting for an order");
        for _ in 0..2 {
            activity.begin(Part::Sending);
            activity.begin(Part::Receiving);
        }
        let expected = "waiting for its environments to finish its step 2";
        assert_eq!(activity.to_string(), expected);
        activity.begin(Part::Resetting);
        assert_eq!(activity.to_string(), "beginning new games");
    }
}
