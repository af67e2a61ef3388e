//! The wall clock of a run, which goes on over kills and resumes.

use std::time::Instant;

/// Seconds of training so far, of all processes of the run together; the time between a kill and a resume not counted.
#[derive(Debug)]
pub(crate) struct RunClock {
    seconds_before: f64,
    started: Instant,
}

impl RunClock {
    /// A clock that begins at `seconds_before`: 0 for a new run, the checkpoint's wall seconds for a resumed one.
    pub(crate) fn start(seconds_before: f64) -> Self {
        Self {
            seconds_before,
            started: Instant::now(),
        }
    }

    /// Wall seconds of the whole run.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds_before + self.seconds_of_this_process()
    }

    /// Wall seconds since this process started or resumed the run.
    pub(crate) fn seconds_of_this_process(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_clock_goes_on_where_it_stopped() {
        let clock = RunClock::start(100.0);
        let seconds = clock.seconds();
        assert!((100.0..110.0).contains(&seconds), "{seconds}");
        assert!(clock.seconds() >= seconds);
    }
}
