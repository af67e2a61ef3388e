//! `rlrun report`: what finished runs came to, as one page that needs nothing beside it.
//!
//! ```text
//! gather      run folders and TensorBoard imports -> runs, and what is left out with its reason
//! cohort      runs -> cohorts, one for each protocol: variants by games; nothing is compared across protocols
//! score       one run: curve, final score, area under the curve
//! statistics  many runs: intervals, aggregates, profiles, the stratified bootstrap
//! compare     a cohort -> scores, verdicts, statistics over games
//! references  published results for the same agent, game and protocol
//! figure      SVG, and PNG of it
//! page        all of it as HTML
//! ```

mod cohort;
mod compare;
mod drawings;
mod figure;
mod gather;
mod page;
mod references;
mod score;
mod statistics;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rayon::prelude::*;

use crate::request::RequestError;
use crate::run::atomic::write_whole;
use cohort::{Cohort, Rules, cohorts};
use compare::{Comparison, compare};
use drawings::{Drawings, draw};
use gather::{Gathered, gather};
use references::Series;
use statistics::Bootstrap;

pub(crate) use gather::Import;

/// Resamples of each bootstrap, as rliable has them.
pub(crate) const REPEATS: usize = 50_000;

/// A report that the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct ReportRequest {
    /// Folders that hold runs, at any depth.
    pub(crate) dirs: Vec<PathBuf>,
    /// Runs of other programs.
    pub(crate) imports: Vec<Import>,
    /// Where it is written; none for `report` in the first folder.
    pub(crate) out: Option<PathBuf>,
    /// What the figures are written as, beside the page.
    pub(crate) formats: Vec<Format>,
    /// Whether unfinished runs count.
    pub(crate) with_unfinished: bool,
    /// Agent steps at which all runs are compared.
    pub(crate) steps: Option<u64>,
    /// Resamples of each bootstrap.
    pub(crate) repeats: usize,
    /// Of the bootstrap.
    pub(crate) seed: u64,
}

/// A format of figures that are files of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines and text.
    Svg,
    /// Pixels, three for one.
    Png,
}

/// A cohort with everything that the page shows of it.
#[derive(Debug)]
pub(crate) struct Chapter<'a> {
    /// The runs.
    pub(crate) cohort: Cohort<'a>,
    /// What they come to.
    pub(crate) comparison: Comparison,
    /// Published results.
    pub(crate) series: Vec<&'static Series>,
    /// The figures.
    pub(crate) drawings: Drawings,
}

/// Makes the report, and returns what is printed of it.
///
/// # Errors
/// [`RequestError`] when there is nothing to report; else when the report cannot be written.
pub(crate) fn report(request: &ReportRequest) -> Result<String> {
    let gathered = gather(&request.dirs, &request.imports)?;
    if gathered.runs.is_empty() {
        return Err(nothing_to_report(&gathered).into());
    }
    let out = match (&request.out, request.dirs.first()) {
        (Some(out), _) => out.clone(),
        (None, Some(dir)) => dir.join("report"),
        (None, None) => PathBuf::from("report"),
    };
    if out.exists() && !out.is_dir() {
        let out = out.display();
        return Err(RequestError::new(format!("{out} is no folder; choose another --out")).into());
    }
    let chapters = chapters(&gathered, request);
    let page = page::page(&gathered, &chapters, request);
    let index = out.join("index.html");
    fs::create_dir_all(&out)
        .and_then(|()| write_whole(&index, page.as_bytes()))
        .with_context(|| {
            format!(
                "writing {}; choose another place by --out DIR",
                index.display()
            )
        })?;
    let n_files = write_figures(&chapters, &request.formats, &out)?;
    Ok(page::in_words(&gathered, &chapters, &index, n_files))
}

fn chapters<'a>(gathered: &'a Gathered, request: &ReportRequest) -> Vec<Chapter<'a>> {
    let rules = Rules {
        with_unfinished: request.with_unfinished,
        steps: request.steps,
    };
    let bootstrap = Bootstrap {
        repeats: request.repeats,
        seed: request.seed,
    };
    let chapter = |cohort: Cohort<'a>| {
        let comparison = compare(&cohort, bootstrap);
        let series = references::of_cohort(&cohort);
        let drawings = draw(&cohort, &comparison, &series);
        Chapter {
            cohort,
            comparison,
            series,
            drawings,
        }
    };
    cohorts(&gathered.runs, rules)
        .into_iter()
        .map(chapter)
        .collect()
}

/// Writes each figure in each format into `figures`, and returns how many files that made.
fn write_figures(chapters: &[Chapter<'_>], formats: &[Format], out: &Path) -> Result<usize> {
    let dir = out.join("figures");
    let figures = chapters.iter().flat_map(|chapter| chapter.drawings.all());
    let files: Vec<_> = figures
        .flat_map(|figure| formats.iter().map(move |&format| (figure, format)))
        .collect();
    if files.is_empty() {
        return Ok(0);
    }
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    files.par_iter().try_for_each(|&(figure, format)| {
        let (extension, bytes) = match format {
            Format::Svg => ("svg", figure.file().into_bytes()),
            Format::Png => ("png", figure::png(figure)?),
        };
        let path = dir.join(format!("{}.{extension}", figure.name));
        write_whole(&path, &bytes).with_context(|| format!("writing {}", path.display()))
    })?;
    Ok(files.len())
}

fn nothing_to_report(gathered: &Gathered) -> RequestError {
    let reasons = gathered.left_out.iter().take(10);
    let reasons: Vec<String> = reasons
        .map(|run| format!("\n  {}: {}", run.path.display(), run.why))
        .collect();
    RequestError::new(format!(
        "none of the {} runs can be used{}",
        gathered.left_out.len(),
        reasons.concat()
    ))
}
