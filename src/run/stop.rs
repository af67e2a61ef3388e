//! Ctrl-C and SIGTERM: the first asks for a clean stop, the second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether a stop was asked for. Cheap to clone and to read, from any thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopFlag {
    requested: Arc<AtomicBool>,
}

impl StopFlag {
    /// A flag that SIGINT and SIGTERM raise. Once it is up, either of them does what it does by default.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down, and the second finds it up.
            flag::register_conditional_default(signal, Arc::clone(&stop.requested))?;
            flag::register(signal, Arc::clone(&stop.requested))?;
        }
        Ok(stop)
    }

    /// Whether a clean stop was asked for.
    #[inline]
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Asks for a clean stop from inside.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;

    use signal_hook::low_level::raise;

    use super::*;
    use crate::run::alone::{is_alone, run_alone};

    #[test]
    fn the_first_signal_asks_for_a_stop() {
        assert_eq!(
            run_alone(module_path!(), "one_signal", Path::new("."), "")
                .status
                .code(),
            Some(0)
        );
    }

    #[test]
    fn the_second_signal_ends_the_process() {
        assert_eq!(
            run_alone(module_path!(), "two_signals", Path::new("."), "")
                .status
                .signal(),
            Some(SIGTERM)
        );
    }

    #[test]
    #[ignore = "the process of the_first_signal_asks_for_a_stop"]
    fn one_signal() {
        if !is_alone() {
            return;
        }
        let stop = StopFlag::on_signals().unwrap();
        assert!(!stop.is_requested());
        raise(SIGINT).unwrap();
        assert!(stop.is_requested());
    }

    #[test]
    #[ignore = "the process of the_second_signal_ends_the_process"]
    fn two_signals() {
        if !is_alone() {
            return;
        }
        let _stop = StopFlag::on_signals().unwrap();
        raise(SIGINT).unwrap();
        raise(SIGTERM).unwrap();
    }

    #[test]
    fn a_stop_can_be_asked_for_from_inside() {
        let stop = StopFlag::default();
        let seen_elsewhere = stop.clone();
        stop.request();
        assert!(seen_elsewhere.is_requested());
    }
}
