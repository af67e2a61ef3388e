//! Reads `episodes.csv`, up to 10,000s of rows, whatever a kill left of it.

use std::fs;
use std::path::Path;

use crate::run::rows::EpisodeRow;
use crate::run::table::Row as _;

/// The table of finished games of a run.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    /// Step at which each game ended, and its raw score; in the order of steps.
    pub(super) games: Vec<(u64, f64)>,
    /// Wall seconds at the last game.
    pub(super) wall_seconds: Option<f64>,
    /// What was wrong with it.
    pub(super) notes: Vec<String>,
}

/// Reads the table; a row cut off at its end is left out, and so is one that is no row.
///
/// # Errors
/// Why there is nothing to read.
pub(super) fn read(path: &Path) -> Result<Episodes, String> {
    let bytes =
        fs::read(path).map_err(|error| format!("its episodes.csv cannot be read: {error}"))?;
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Result<Episodes, String> {
    let header = EpisodeRow::HEADER.trim_end();
    let (first, rows) = text.split_once('\n').unwrap_or((text, ""));
    if !header.starts_with(first.trim_end()) {
        return Err(format!(
            "its episodes.csv begins with {first:?}, expected {header:?}"
        ));
    }
    let mut episodes = Episodes::default();
    let mut n_damaged = 0_usize;
    for line in rows.split_inclusive('\n') {
        // Without its end, a number may lack digits.
        match line.strip_suffix('\n').and_then(row) {
            Some((step, score, seconds)) => {
                episodes.games.push((step, score));
                episodes.wall_seconds = Some(seconds);
            }
            None => n_damaged += 1,
        }
    }
    episodes.games.sort_by_key(|&(step, _)| step);
    if n_damaged > 0 {
        episodes.notes.push(format!(
            "{n_damaged} damaged or cut-off row(s) of its episodes.csv are left out."
        ));
    }
    Ok(episodes)
}

/// Step, score and wall seconds of a row.
fn row(line: &str) -> Option<(u64, f64, f64)> {
    let mut cells = line.trim_end_matches('\r').split(',');
    let step = cells.nth(1)?.parse().ok()?;
    let score: f64 = cells.nth(1)?.parse().ok()?;
    let seconds = cells.nth(2)?.parse().ok()?;
    (cells.next().is_none() && score.is_finite()).then_some((step, score, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_damaged_ones_are_counted() {
        let header = EpisodeRow::HEADER;
        let text = format!(
            "{header}1,100,0,10,50,200,1.5\n2,90,1,nan,9,9,2\nx\n3,80,0,-2.5,50,200,3.25\n4,120,0,7,50,200,4"
        );
        let episodes = parse(&text).unwrap();
        assert_eq!(episodes.games, [(80, -2.5), (100, 10.0)]);
        assert_eq!(episodes.wall_seconds, Some(3.25));
        assert!(
            episodes.notes[0].starts_with("3 damaged"),
            "{:?}",
            episodes.notes
        );
    }

    #[test]
    fn a_table_cut_off_anywhere_is_read_up_to_its_last_whole_row() {
        let whole = format!(
            "{}1,100,0,10,50,200,1.5\n2,200,0,20,50,200,2.5\n",
            EpisodeRow::HEADER
        );
        for length in 0..=whole.len() {
            let text = &whole[..length];
            let n_rows = text.matches('\n').count().saturating_sub(1);
            assert_eq!(
                parse(text).unwrap().games.len(),
                n_rows,
                "cut off at {length}"
            );
        }
    }

    #[test]
    fn another_table_is_refused() {
        let error = parse("r,l,t\n1,2,3\n").unwrap_err();
        assert!(
            error.contains("\"r,l,t\"") && error.contains("episode,step"),
            "{error}"
        );
    }
}
