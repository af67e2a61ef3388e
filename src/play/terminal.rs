//! Pictures in a terminal: two pixels above each other are a half block in 24-bit colours.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::request::RequestError;
use crate::video::{FRAMES_PER_SECOND, RgbImage};

/// Columns and rows where the system does not say.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// A television is so many units wide and high.
const SCREEN: (usize, usize) = (4, 3);
/// Columns above which nothing more is to be seen.
const MAX_COLUMNS: usize = 320;

/// Own screen, no cursor, cleared.
const OPEN: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
/// What was there before, cursor and colours as usual.
const CLOSE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// Whether a terminal is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminalUse {
    /// Not at all.
    No,
    /// If standard output is one.
    IfThere,
    /// Whatever standard output is.
    Always,
}

/// A terminal that is drawn on; it is as it was before when this is dropped.
pub(super) struct Terminal {
    size: (usize, usize),
    period: Duration,
    /// When the next picture is due.
    due: Instant,
}

impl Terminal {
    /// Takes the terminal over, for games with so many frames a step.
    ///
    /// # Errors
    /// Standard output is none.
    pub(super) fn open(used: TerminalUse, frames_per_step: u32) -> Result<Self, RequestError> {
        if used == TerminalUse::IfThere && !io::stdout().is_terminal() {
            return Err(RequestError::new(
                "--terminal: standard output is no terminal; --out FILE writes a video",
            ));
        }
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(OPEN.as_bytes())
            .map_err(|error| RequestError::new(format!("--terminal: {error}")))?;
        Ok(Self {
            size: size(),
            period: Duration::from_secs(1) * frames_per_step / FRAMES_PER_SECOND,
            due: Instant::now(),
        })
    }

    /// Draws a picture and a line below it, not before its time.
    ///
    /// # Errors
    /// If the terminal has gone.
    pub(super) fn draw(&mut self, picture: &RgbImage, line: &str) -> Result<()> {
        let wait = self.due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            let _ = crossbeam_channel::after(wait).recv();
        }
        // A game that is behind its time goes on at once, but does not catch up.
        self.due = self.due.max(Instant::now()) + self.period;
        let mut text = String::new();
        let now = size();
        if now != self.size {
            self.size = now;
            text += "\x1b[0m\x1b[2J";
        }
        text += "\x1b[H";
        text += &blocks(picture, self.size);
        let width = self.size.0;
        let _ = write!(text, "\x1b[0m{line:.width$}\x1b[K");
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .context("drawing on the terminal")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(CLOSE.as_bytes());
        let _ = stdout.flush();
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 1 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

/// The picture as lines of half blocks, as large as it fits above a last line, in the proportions of a television.
fn blocks(picture: &RgbImage, (columns, rows): (usize, usize)) -> String {
    let room = 2 * (rows - 1);
    let width = columns
        .min(room * SCREEN.0 / SCREEN.1)
        .clamp(1, MAX_COLUMNS);
    let height = (width * SCREEN.1 / SCREEN.0).max(1);
    let height = height.next_multiple_of(2).min(room);
    let small = picture.resized(width, height);
    let mut text = String::new();
    for y in (0..height).step_by(2) {
        let mut colours = None;
        for x in 0..width {
            let (above, below) = (small.pixel(x, y), small.pixel(x, y + 1));
            if colours != Some((above, below)) {
                let [over, under] =
                    [above, below].map(|[red, green, blue]| format!("{red};{green};{blue}"));
                let _ = write!(text, "\x1b[38;2;{over};48;2;{under}m");
                colours = Some((above, below));
            }
            text.push('\u{2580}');
        }
        text += "\x1b[0m\x1b[K\r\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_fills_the_terminal_in_its_proportions_and_leaves_a_line() {
        let picture = RgbImage::new(160, 210, [1, 2, 3]);
        for (size, expected) in [
            ((80, 24), (61, 23)),
            ((40, 50), (40, 15)),
            ((1000, 500), (320, 120)),
            ((1, 2), (1, 1)),
        ] {
            let text = blocks(&picture, size);
            let lines: Vec<usize> = text
                .lines()
                .map(|line| line.matches('\u{2580}').count())
                .collect();
            assert_eq!((lines[0], lines.len()), expected, "{size:?}");
            assert!(lines.iter().all(|&n| n == lines[0]));
        }
    }

    #[test]
    fn a_block_has_the_colour_above_in_front_and_the_one_below_behind() {
        let mut picture = RgbImage::new(4, 3, [10, 20, 30]);
        picture.fill((2, 0), (2, 3), [40, 50, 60]);
        let text = blocks(&picture, (4, 3));
        let line = "\x1b[38;2;10;20;30;48;2;10;20;30m\u{2580}\u{2580}\x1b[38;2;40;50;60;48;2;40;50;60m\u{2580}\u{2580}\x1b[0m\x1b[K";
        assert_eq!(text.lines().collect::<Vec<_>>(), [line; 2]);

        let mut picture = RgbImage::new(1, 2, [255, 0, 0]);
        picture.set(0, 1, [0, 0, 255]);
        let text = blocks(&picture, (1, 2));
        assert!(
            text.starts_with("\x1b[38;2;255;0;0;48;2;0;0;255m\u{2580}"),
            "{text:?}"
        );
    }
}
