//! Repeats against the clock, and their median.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::Measuring;

/// How long and how often something is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Of each repeat.
    pub(super) length: Duration,
    /// How many.
    pub(super) repeats: u64,
}

/// What repeats gave.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Repeats {
    /// The one in the middle, or between the middle two.
    pub(super) median: f64,
    /// In the order in which they were measured.
    pub(super) each: Vec<f64>,
}

impl Clock {
    /// What `measuring` asks for; `seconds` where it does not say.
    pub(super) fn new(measuring: &Measuring, seconds: f64) -> Self {
        Self {
            length: Duration::from_secs_f64(measuring.seconds.unwrap_or(seconds)),
            repeats: measuring.repeats,
        }
    }

    /// One repeat of `seconds`.
    pub(super) fn once(seconds: f64) -> Self {
        Self {
            length: Duration::from_secs_f64(seconds),
            repeats: 1,
        }
    }

    /// The same with repeats of `seconds` at most.
    pub(super) fn at_most(self, seconds: f64) -> Self {
        let length = self.length.min(Duration::from_secs_f64(seconds));
        Self { length, ..self }
    }

    /// How many things a second come of doing `piece` again and again, each of which returns how many it was.
    ///
    /// # Errors
    /// Those of `piece`.
    pub(super) fn rates(self, mut piece: impl FnMut() -> Result<u64>) -> Result<Repeats> {
        let mut rates = Vec::new();
        for _ in 0..self.repeats {
            rates.push(self.rate(&mut piece)?);
        }
        Ok(Repeats::new(rates))
    }

    /// The same, once. `piece` is done at least once.
    ///
    /// # Errors
    /// Those of `piece`.
    pub(super) fn rate(self, mut piece: impl FnMut() -> Result<u64>) -> Result<f64> {
        let (start, mut n) = (Instant::now(), 0);
        loop {
            n += piece()?;
            if start.elapsed() >= self.length {
                return Ok(per_second(n, start.elapsed()));
            }
        }
    }
}

impl Repeats {
    /// The repeats in their order, at least one.
    pub(super) fn new(each: Vec<f64>) -> Self {
        let mut sorted = each.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        Self {
            median: f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]),
            each,
        }
    }

    /// The least and the greatest, for a table.
    pub(super) fn range(&self) -> String {
        let least = self.each.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.each.iter().copied().fold(0.0, f64::max);
        format!("{} - {}", digits(least), digits(greatest))
    }
}

/// Does all `works` at the same time, each on a thread with `name` that libtorch computes on alone, and adds up their rates.
///
/// # Errors
/// If a thread cannot be started, and the first of those of `works`.
pub(super) fn together(
    name: &str,
    works: impl Iterator<Item: FnOnce() -> Result<f64> + Send>,
) -> Result<f64> {
    thread::scope(|scope| {
        let started = works.enumerate().map(|(number, work)| {
            let on_one_thread = || {
                tch::set_num_threads(1);
                work()
            };
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn_scoped(scope, on_one_thread)
                .context("starting a thread")
        });
        let started: Vec<_> = started.collect::<Result<_>>()?;
        let rates = started
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        rates.sum()
    })
}

/// So many things in so much time, per second.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn per_second(n: u64, time: Duration) -> f64 {
    n as f64 / time.as_secs_f64()
}

/// A number for a table: about four digits, whole from 1000 on.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 999.5 => format!("{value:.0}"),
        size if size >= 99.95 => format!("{value:.1}"),
        size if size >= 9.995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let median = |values: &[f64]| Repeats::new(values.to_vec()).median;
        assert!((median(&[5.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn repeats_keep_their_order_and_span_from_the_least_to_the_greatest() {
        let repeats = Repeats::new(vec![12.5, 1234.4, 0.5]);
        assert_eq!(repeats.range(), "0.500 - 1234");
        assert!((repeats.each[1] - 1234.4).abs() < 1e-12);
        assert_eq!(digits(123.45), "123.5");
    }

    #[test]
    fn rates_of_threads_add_up_and_the_first_error_is_passed_on() {
        let rates = [1.5, 2.0].map(|rate| move || Ok(rate));
        assert!((together("t", rates.into_iter()).unwrap() - 3.5).abs() < 1e-12);
        let failing = [1.0, -1.0].map(|rate| {
            move || {
                anyhow::ensure!(rate > 0.0, "no rate");
                Ok(rate)
            }
        });
        let error = together("t", failing.into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "no rate");
    }

    #[test]
    fn a_piece_that_outlasts_the_clock_is_counted_with_its_own_time() {
        let clock = Clock {
            length: Duration::from_nanos(1),
            repeats: 2,
        };
        let mut n_pieces = 0;
        let rates = clock
            .rates(|| {
                n_pieces += 1;
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(2) {}
                Ok(10)
            })
            .unwrap();
        assert_eq!((n_pieces, rates.each.len()), (2, 2));
        assert!(rates.each.iter().all(|&rate| rate > 0.0 && rate <= 5000.0));
    }
}
