//! The way back: environments of a run that goes on play what is recorded of them again.
//!
//! It can take a minute, so it shows how far it is and hears Ctrl-C. Nothing is changed before it is over.

use std::sync::{Mutex, PoisonError};

use rlrun_envs::Recording;

use crate::run::progress::Progress;
use crate::run::screen::Verbosity;
use crate::run::stop::StopFlag;

/// The recordings of a run that goes on, and who watches while they are played again; none for a new run.
#[derive(Debug, Default)]
pub(crate) struct Retracing {
    recordings: Vec<Recording>,
    stop: StopFlag,
    shown: Mutex<Option<Shown>>,
}

/// What is seen of it.
#[derive(Debug)]
struct Shown {
    progress: Progress,
    /// Of all groups together.
    n_steps: u64,
}

impl Retracing {
    /// That of environments in groups of `group`.
    pub(crate) fn new(
        recordings: Vec<Recording>,
        group: usize,
        stop: StopFlag,
        verbosity: Verbosity,
    ) -> Self {
        let longest = |group: &[Recording]| {
            let lengths = group.iter().map(|recording| recording.actions.len() as u64);
            lengths.max().unwrap_or(0)
        };
        let total = recordings.chunks(group).map(longest).sum();
        let shown = (total > 0).then(|| Shown {
            progress: Progress::of_retracing(total, verbosity),
            n_steps: 0,
        });
        Self {
            recordings,
            stop,
            shown: Mutex::new(shown),
        }
    }

    /// The recordings of all environments, or none.
    pub(crate) fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// Counts a step of a group; false if it is not to be taken.
    pub(crate) fn go_on(&self) -> bool {
        if let Some(shown) = &mut *self.lock() {
            shown.n_steps += 1;
            shown.progress.update(shown.n_steps, None);
        }
        !self.stop.is_requested()
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(shown) = self.lock().take() {
            shown.progress.finish();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Shown>> {
        // Whoever panicked with it shows nothing any more.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Retracing {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_heard_at_the_next_step() {
        let stop = StopFlag::default();
        let recording = Recording {
            actions: vec![0; 7],
            ..Recording::default()
        };
        let recordings = vec![recording; 4];
        let retracing = Retracing::new(recordings, 2, stop.clone(), Verbosity::Quiet);
        assert!(retracing.go_on());
        stop.request();
        assert!(!retracing.go_on());
        assert_eq!(retracing.lock().as_ref().unwrap().n_steps, 2);
    }
}
