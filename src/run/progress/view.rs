//! Where progress is seen: a bar on a terminal, a plain line now and then elsewhere, nothing when it is to be quiet.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::screen::{Screen, Verbosity};

/// How often the bar is drawn at most.
const BAR_INTERVAL: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// A place for progress.
#[derive(Debug)]
pub(super) struct View {
    form: Form,
    total: u64,
    last_shown: Instant,
    screen: Screen,
}

#[derive(Debug)]
enum Form {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl View {
    /// A view of a count that stands at `count` of `total`.
    pub(super) fn new(total: u64, count: u64, verbosity: Verbosity) -> Self {
        let form = Form::choose(total, count, verbosity);
        let screen = match &form {
            Form::Bar(bar) => Screen::above(bar.clone(), verbosity),
            Form::Lines | Form::Nothing => Screen::new(verbosity),
        };
        Self {
            form,
            total,
            last_shown: Instant::now(),
            screen,
        }
    }

    /// The way to say something above the bar.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Shows the count and what `status` makes of it, when it is time to.
    pub(super) fn show(&mut self, now: Instant, count: u64, status: impl FnOnce() -> String) {
        let interval = match &self.form {
            Form::Bar(_) => BAR_INTERVAL,
            Form::Lines => LINE_INTERVAL,
            Form::Nothing => return,
        };
        if now.duration_since(self.last_shown) < interval {
            return;
        }
        self.last_shown = now;
        if let Form::Bar(bar) = &self.form {
            bar.set_position(count);
            bar.set_message(status());
        } else {
            let percent = percent(count, self.total);
            self.screen.say(&format!("{percent}% {}", status()));
        }
    }

    /// Takes the bar away, so that what follows stands below nothing.
    pub(super) fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

impl Form {
    fn choose(total: u64, count: u64, verbosity: Verbosity) -> Self {
        if verbosity == Verbosity::Quiet {
            return Self::Nothing;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if bar.is_hidden() {
            return Self::Lines;
        }
        let style = ProgressStyle::with_template("{percent:>3}% [{wide_bar}] {msg}")
            .expect("the template is constant and valid")
            .progress_chars("#> ");
        bar.set_style(style);
        bar.set_position(count);
        Self::Bar(bar)
    }
}

fn percent(count: u64, total: u64) -> u64 {
    (u128::from(count) * 100 / u128::from(total.max(1)))
        .try_into()
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_needs_no_count_and_does_not_overflow() {
        assert_eq!(percent(0, 0), 0);
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
    }

    #[test]
    fn what_is_quiet_shows_nothing_and_asks_for_no_words() {
        let mut view = View::new(10, 0, Verbosity::Quiet);
        assert!(matches!(view.form, Form::Nothing));
        let later = Instant::now() + 2 * LINE_INTERVAL;
        view.show(later, 10, || unreachable!("nobody sees it"));
        view.finish();
    }

    #[test]
    fn words_are_asked_for_only_when_it_is_time() {
        let mut view = View {
            form: Form::Lines,
            ..View::new(10, 0, Verbosity::Quiet)
        };
        let mut n_asked = 0;
        let began = view.last_shown;
        for seconds in 0..=70 {
            view.show(began + Duration::from_secs(seconds), 1, || {
                n_asked += 1;
                String::new()
            });
        }
        assert_eq!(n_asked, 2);
    }
}
