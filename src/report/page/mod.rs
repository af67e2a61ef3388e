//! The page: HTML with its style and figures inside, without a script, so that it opens anywhere and at any time.

mod chapter;
mod rules;
mod runs;
mod table;
mod words;

use std::fmt::Write as _;

use super::figure::{escape, number};
use super::gather::Gathered;
use super::statistics::Interval;
use super::{Chapter, ReportRequest};

pub(crate) use words::in_words;

/// The whole page.
pub(crate) fn page(
    gathered: &Gathered,
    chapters: &[Chapter<'_>],
    request: &ReportRequest,
) -> String {
    let title = words::title(chapters);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"rlrun {}\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&title),
        include_str!("style.css"),
    );
    let _ = write!(
        html,
        "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        escape(&title),
        escape(&words::extent(gathered, chapters))
    );
    html.push_str(&words::findings(chapters));
    html.push_str(&contents(chapters));
    for chapter in chapters {
        html.push_str(&chapter::chapter(chapter));
    }
    html.push_str(&runs::runs(gathered));
    html.push_str(&runs::differences(gathered));
    html.push_str(&runs::left_out(gathered, chapters));
    html.push_str(&rules::rules(request));
    let day = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let _ = write!(
        html,
        "<p class=\"how\">Made on {day} by rlrun {}.</p>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    html
}

fn contents(chapters: &[Chapter<'_>]) -> String {
    let mut html = "<nav aria-label=\"Contents\">".to_owned();
    for chapter in chapters {
        let protocol = chapter.cohort.protocol;
        let _ = write!(html, "<a href=\"#{protocol}\">Protocol {protocol}</a>");
    }
    html.push_str(
        "<a href=\"#runs\">Runs and speed</a><a href=\"#settings\">Settings that differ</a>\
         <a href=\"#left-out\">Notes</a><a href=\"#rules\">How the numbers are made</a></nav>\n",
    );
    html
}

/// A value with its interval: `598 [521, 675]`.
fn with_interval(value: f64, interval: Option<Interval>) -> String {
    interval.map_or_else(
        || format!("{} <span class=\"faint\">no interval</span>", number(value)),
        |Interval { low, high }| {
            format!(
                "{} <span class=\"faint\">[{}, {}]</span>",
                number(value),
                number(low),
                number(high)
            )
        },
    )
}
