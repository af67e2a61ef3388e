//! `rlrun episodes`: the games of a training as a list.

use std::cmp::Ordering;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::played::{PlayedRun, Unseen};
use crate::cli::{EpisodesArgs, Form, SortKey};
use crate::config::grouped;
use crate::request::RequestError;
use crate::run::rows::EpisodeRow;
use crate::run::table::Row as _;

/// A game as programs read it.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    game: &'a EpisodeRow,
    /// `yes`, or why not.
    replay: String,
}

/// The list that `args` ask for.
///
/// # Errors
/// A [`RequestError`] if there is no such run, or the bounds leave nothing; what cannot be read.
pub(crate) fn episodes(args: &EpisodesArgs) -> Result<String> {
    check_bounds(args)?;
    let run = PlayedRun::open(&args.run)?;
    let games = chosen(&run.games, args);
    let listed = games.into_iter().map(|game| Listed {
        game,
        replay: run
            .past_of(game)
            .map_or_else(|unseen| unseen.to_string(), |_| "yes".to_owned()),
    });
    let listed: Vec<Listed<'_>> = listed.collect();
    match args.form() {
        Form::Json => Ok(serde_json::to_string_pretty(&listed)?),
        Form::Csv => Ok(csv_of(&listed)),
        Form::Table => Ok(table(&run, &listed)),
    }
}

fn check_bounds(args: &EpisodesArgs) -> Result<(), RequestError> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        let (from, to) = (grouped(from), grouped(to));
        return Err(RequestError::new(format!(
            "--from {from} is after --to {to}: no game can lie between"
        )));
    }
    if let (Some(min), Some(max)) = (args.min_score, args.max_score)
        && min > max
    {
        return Err(RequestError::new(format!(
            "--min-score {min} is above --max-score {max}: no game can lie between"
        )));
    }
    Ok(())
}

/// The games that are asked for, in the order that is asked for.
fn chosen<'a>(games: &'a [EpisodeRow], args: &EpisodesArgs) -> Vec<&'a EpisodeRow> {
    let is_chosen = |game: &&EpisodeRow| {
        args.min_score.is_none_or(|min| game.score >= min)
            && args.max_score.is_none_or(|max| game.score <= max)
            && args.from.is_none_or(|from| game.step >= from)
            && args.to.is_none_or(|to| game.step <= to)
    };
    let mut chosen: Vec<&EpisodeRow> = games.iter().filter(is_chosen).collect();
    chosen.sort_by(|a, b| {
        let by_key = order(args.sort, a, b);
        let by_key = if args.reverse {
            by_key.reverse()
        } else {
            by_key
        };
        by_key.then(a.episode.cmp(&b.episode))
    });
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    chosen.truncate(limit.unwrap_or(usize::MAX));
    chosen
}

fn order(key: SortKey, a: &EpisodeRow, b: &EpisodeRow) -> Ordering {
    match key {
        SortKey::Score => b.score.total_cmp(&a.score),
        SortKey::Length => b.length_steps.cmp(&a.length_steps),
        SortKey::Step => a.step.cmp(&b.step),
        SortKey::Env => a.env.cmp(&b.env),
    }
}

fn csv_of(listed: &[Listed<'_>]) -> String {
    let mut text = format!("{},replay\n", EpisodeRow::HEADER.trim_end());
    for Listed { game, replay } in listed {
        let _ = writeln!(text, "{},{replay}", game.line().trim_end());
    }
    text
}

fn table(run: &PlayedRun, listed: &[Listed<'_>]) -> String {
    if run.games.is_empty() {
        return "no game has ended yet".to_owned();
    }
    let mut text = format!(
        "{:>8}{:>14}{:>6}{:>12}{:>9}  REPLAY\n",
        "EPISODE", "ENDED AT STEP", "ENV", "SCORE", "STEPS"
    );
    for Listed { game, replay } in listed {
        let _ = writeln!(
            text,
            "{:>8}{:>14}{:>6}{:>12}{:>9}  {replay}",
            game.episode,
            grouped(game.step),
            game.env,
            game.score,
            grouped(game.length_steps),
        );
    }
    text + &summary(run, listed)
}

/// How many there are, and what is to be said of those that cannot be replayed.
fn summary(run: &PlayedRun, listed: &[Listed<'_>]) -> String {
    let unseen: Vec<Unseen> = { run.games.iter() }
        .filter_map(|game| run.past_of(game).err())
        .collect();
    let n_games = run.games.len();
    let mut text = format!(
        "\n{} games, {} of them here; {} can be replayed\n",
        grouped(n_games as u64),
        grouped(listed.len() as u64),
        grouped((n_games - unseen.len()) as u64),
    );
    let reasons = [
        Unseen::NoPicture,
        Unseen::NoRecorder,
        Unseen::NotYetWritten,
        Unseen::NotRecorded,
    ];
    for reason in reasons {
        let n = unseen.iter().filter(|&&other| other == reason).count();
        if n > 0 {
            let words = run.in_words(reason);
            let _ = writeln!(text, "{} {reason}: {words}", grouped(n as u64));
        }
    }
    text + &run.damage().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        args: EpisodesArgs,
    }

    fn args(words: &str) -> EpisodesArgs {
        let words = ["episodes", "RUN"]
            .into_iter()
            .chain(words.split_whitespace());
        Words::try_parse_from(words)
            .unwrap_or_else(|error| panic!("{error}"))
            .args
    }

    fn games() -> Vec<EpisodeRow> {
        let game = |(episode, step, env, score, length_steps)| EpisodeRow {
            episode,
            step,
            env,
            score,
            length_steps,
            length_frames: 4 * length_steps,
            wall_seconds: 0.0,
        };
        let games = [
            (1, 160, 1, -3.0, 50),
            (2, 160, 0, 20.0, 40),
            (3, 400, 1, 20.0, 90),
            (4, 800, 2, 0.5, 90),
        ];
        games.map(game).to_vec()
    }

    #[test]
    fn games_are_sorted_and_left_out_as_asked() {
        let check = |words: &str, expected: &[u64]| {
            let games = games();
            let chosen = chosen(&games, &args(words));
            let got: Vec<u64> = chosen.iter().map(|game| game.episode).collect();
            assert_eq!(got, expected, "{words}");
        };
        check("", &[1, 2, 3, 4]);
        check("--reverse", &[4, 3, 1, 2]);
        check("--sort score", &[2, 3, 4, 1]);
        check("--sort score --reverse --limit 1", &[1]);
        check("--sort length", &[3, 4, 1, 2]);
        check("--sort length --reverse", &[2, 1, 3, 4]);
        check("--sort env", &[2, 1, 3, 4]);
        check("--min-score -3 --max-score 0.5", &[1, 4]);
        check("--from 160 --to 400 --limit 2", &[1, 2]);
        check("--from 161 --to 0.8k", &[3, 4]);
        check("--limit 0", &[]);
    }

    #[test]
    fn bounds_with_nothing_between_are_refused() {
        let refuse = |words: &str| check_bounds(&args(words)).unwrap_err().to_string();
        assert!(refuse("--from 2k --to 1k").contains("--from 2_000 is after --to 1_000"));
        assert!(refuse("--min-score 1 --max-score -1").contains("--min-score 1 is above"));
        check_bounds(&args("--from 1k --to 1k --min-score 2 --max-score 2")).unwrap();
    }
}
