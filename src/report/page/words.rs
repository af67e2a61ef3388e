//! What a report says in sentences, on the page and on the screen.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::report::Chapter;
use crate::report::compare::{Pair, Verdict};
use crate::report::figure::escape;
use crate::report::gather::Gathered;

/// The title of the page.
pub(super) fn title(chapters: &[Chapter<'_>]) -> String {
    let games: BTreeSet<&str> = chapters
        .iter()
        .flat_map(|c| c.cohort.games.iter().map(|game| game.name.as_str()))
        .collect();
    let variants = chapters.iter().flat_map(|c| {
        c.cohort
            .variants
            .iter()
            .map(|variant| variant.label.as_str())
    });
    let variants: BTreeSet<&str> = variants.collect();
    let what = match variants.len() {
        0..=3 => variants.into_iter().collect::<Vec<_>>().join(", "),
        n => format!("{n} variants"),
    };
    match games.len() {
        0..=3 => format!(
            "{what} on {}",
            games.into_iter().collect::<Vec<_>>().join(", ")
        ),
        n => format!("{what} on {n} games"),
    }
}

/// How much the report is made of.
pub(super) fn extent(gathered: &Gathered, chapters: &[Chapter<'_>]) -> String {
    let cells = chapters
        .iter()
        .flat_map(|c| c.cohort.games.iter().flat_map(|game| &game.cells));
    let n_counted: usize = cells.map(|cell| cell.counted.len()).sum();
    let n_drawn = gathered.runs.len() - n_counted;
    let mut text = format!("{} in the means and statistics", counted(n_counted, "run"));
    if n_drawn > 0 {
        let _ = write!(
            text,
            ", {n_drawn} drawn only because unfinished or too short"
        );
    }
    if !gathered.left_out.is_empty() {
        let _ = write!(text, ", {} left out", gathered.left_out.len());
    }
    text + "."
}

/// What the pairs come to, as a list.
pub(super) fn findings(chapters: &[Chapter<'_>]) -> String {
    let mut html = String::new();
    for chapter in chapters {
        for pair in &chapter.comparison.pairs {
            let _ = writeln!(html, "<li>{}</li>", escape(&finding(chapter, pair)));
        }
    }
    if html.is_empty() {
        return "<p>There is only one variant of each protocol here, so that nothing can be compared.</p>\n".to_owned();
    }
    format!("<ul>\n{html}</ul>\n")
}

/// `a2c-coordconv against a2c-conv (baselines, 9 games): better in 6, similar in 2, worse in 1.`
fn finding(chapter: &Chapter<'_>, pair: &Pair) -> String {
    let label = |variant: usize| &chapter.cohort.variants[variant].label;
    let count =
        |is: fn(&Verdict) -> bool| pair.games.iter().filter(|(_, verdict)| is(verdict)).count();
    let n_undecided = count(|v| matches!(v, Verdict::NotDecided(_)));
    let mut text = format!(
        "{} against {} ({}, {}): better in {}, similar in {}, worse in {}",
        label(pair.other),
        label(pair.base),
        chapter.cohort.protocol,
        counted(pair.games.len(), "game"),
        count(|v| matches!(v, Verdict::Better(_))),
        count(|v| matches!(v, Verdict::Similar(_))),
        count(|v| matches!(v, Verdict::Worse(_))),
    );
    if n_undecided > 0 {
        let _ = write!(text, ", not decided in {n_undecided} for want of seeds");
    }
    text + "."
}

/// What is printed: the findings, what is left out, and where the page is.
pub(crate) fn in_words(
    gathered: &Gathered,
    chapters: &[Chapter<'_>],
    index: &Path,
    n_files: usize,
) -> String {
    let mut text = format!("{}: {}\n", title(chapters), extent(gathered, chapters));
    for chapter in chapters {
        for pair in &chapter.comparison.pairs {
            let _ = writeln!(text, "{}", finding(chapter, pair));
        }
    }
    for run in &gathered.left_out {
        let _ = writeln!(text, "left out: {}: {}", run.path.display(), run.why);
    }
    if n_files > 0 {
        let _ = writeln!(
            text,
            "figures: {n_files} files in {}",
            index.with_file_name("figures").display()
        );
    }
    let _ = writeln!(text, "report: {}", index.display());
    text
}

/// `1 run`, `2 runs`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
