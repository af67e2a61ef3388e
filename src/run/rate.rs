//! A rate over a recent window: what runs now, not the average since the start.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Into how many samples a window is divided at most.
const N_SAMPLES_PER_WINDOW: u32 = 50;

/// Counts per second over the last `window`.
#[derive(Debug)]
pub(crate) struct RateWindow {
    window: Duration,
    samples: VecDeque<(Instant, u64)>,
    latest: Option<(Instant, u64)>,
}

impl RateWindow {
    /// A rate over the last `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            window,
            samples: VecDeque::new(),
            latest: None,
        }
    }

    /// Notes that the count, which never falls, was `count` at `now`.
    pub(crate) fn record(&mut self, now: Instant, count: u64) {
        self.latest = Some((now, count));
        let due = self
            .samples
            .back()
            .is_none_or(|(last, _)| now.duration_since(*last) >= self.spacing());
        if due {
            self.samples.push_back((now, count));
        }
        // The oldest sample kept is the last one that lies a whole window back.
        while self
            .samples
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= self.window)
        {
            self.samples.pop_front();
        }
    }

    /// The rate in counts per second, once there are two moments to compare.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the counts within a window are far below 2^52"
    )]
    pub(crate) fn per_second(&self) -> Option<f64> {
        let (first_at, first_count) = *self.samples.front()?;
        let (last_at, last_count) = self.latest?;
        let seconds = last_at.duration_since(first_at).as_secs_f64();
        (seconds > 0.0).then(|| last_count.saturating_sub(first_count) as f64 / seconds)
    }

    fn spacing(&self) -> Duration {
        self.window / N_SAMPLES_PER_WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_gives_no_rate() {
        let mut rate = RateWindow::new(Duration::from_secs(10));
        assert_eq!(rate.per_second(), None);
        rate.record(Instant::now(), 5);
        assert_eq!(rate.per_second(), None);
    }

    #[test]
    fn the_rate_forgets_what_is_older_than_the_window() {
        let mut rate = RateWindow::new(Duration::from_secs(10));
        let start = Instant::now();
        // 100 per second for 20 s, then 10 per second for 20 s, reported 100 times a second.
        let mut count = 0;
        for tick in 0..4_000_u64 {
            count += u64::from(tick < 2_000 || tick % 10 == 0);
            rate.record(start + Duration::from_millis(10 * tick), count);
        }
        let per_second = rate.per_second().unwrap();
        assert!((per_second - 10.0).abs() < 0.5, "{per_second}");
        assert!(rate.samples.len() <= N_SAMPLES_PER_WINDOW as usize + 2);
    }
}
