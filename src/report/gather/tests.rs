//! Run folders in every state.

use std::fs;
use std::path::Path;

use super::*;
use crate::run::lock::RunLock;
use crate::run::rows::EpisodeRow;
use crate::run::table::Row as _;

const SUMMARY: &str = "{\"steps\": 1000, \"wall_seconds\": 2.5, \"new key\": null}";

/// The part of a plan that is always there.
fn plan(seed: u64, more: &str) -> String {
    format!(
        "agent = \"a2c\"\ngame = \"Pong\"\nprotocol = \"baselines\"\nseed = {seed}\ntotal_steps = 1000\n{more}\n[torso]\nkind = \"conv\"\n"
    )
}

fn rows(steps: &[u64]) -> String {
    let rows = steps.iter().enumerate();
    let rows = rows.map(|(index, step)| format!("{},{step},0,{step},10,40,1.5\n", index + 1));
    format!("{}{}", EpisodeRow::HEADER, rows.collect::<String>())
}

/// Writes a run folder of these files.
fn write(dir: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(dir).unwrap();
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
}

fn gathered(dir: &Path) -> Gathered {
    gather(&[dir.to_owned()], &[]).unwrap()
}

#[test]
fn folders_without_runs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path, expected: &str| {
        let error = gather(&[path.to_owned()], &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(dir.path(), "there is no run below");
    refused(&dir.path().join("gone"), "cannot read the folder");
}

#[test]
fn states_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, table) = (plan(1, ""), rows(&[100, 990]));
    let of = |name: &str, summary: Option<&str>| {
        let path = dir.path().join(name);
        write(&path, &[("plan.toml", &plan), ("episodes.csv", &table)]);
        if let Some(summary) = summary {
            fs::write(path.join("summary.json"), summary).unwrap();
        }
        let run = gathered(&path).runs.remove(0);
        (run.status, run.steps, run.wall_seconds)
    };
    assert_eq!(
        of("finished", Some(SUMMARY)),
        (Status::Finished, 1_000, Some(2.5))
    );
    assert_eq!(of("stopped", None), (Status::Stopped, 990, Some(1.5)));
    assert_eq!(
        of("half a summary", Some("{\"steps\": 10")),
        (Status::Stopped, 990, Some(1.5))
    );
    let _lock = RunLock::acquire(&dir.path().join("stopped")).unwrap();
    assert_eq!(of("stopped", None), (Status::Running, 990, Some(1.5)));
}

#[test]
fn what_cannot_be_used_is_named_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let good = plan(1, "");
    let table = rows(&[100]);
    write(
        &dir.path().join("good"),
        &[("plan.toml", &good), ("episodes.csv", &table)],
    );
    let header = EpisodeRow::HEADER;
    for (name, plan, table, why) in [
        (
            "a",
            &good[..],
            header,
            "no game was finished in it; it was stopped before",
        ),
        ("b", "agent = \"a2", &table, "no whole TOML file"),
        ("c", "agent = \"a2c\"\n", &table, "has no game"),
        ("d", &good.replace("baselines", "nature"), &table, "nature"),
        ("e", &good, "r,l,t\n", "begins with"),
        ("f", "task = \"rendering\"\n", header, "coordinate task"),
    ] {
        let path = dir.path().join("deep").join(name);
        write(&path, &[("plan.toml", plan), ("episodes.csv", table)]);
        let got = gathered(dir.path());
        assert_eq!(got.runs.len(), 1);
        let left_out = got
            .left_out
            .iter()
            .find(|run| run.path == path)
            .expect(name);
        assert!(left_out.why.contains(why), "{name}: {}", left_out.why);
    }
    let path = dir.path().join("no plan");
    write(&path, &[("episodes.csv", &table)]);
    assert!(
        gathered(dir.path())
            .left_out
            .iter()
            .any(|run| run.why.contains("plan.toml cannot be read"))
    );
}

#[test]
fn of_the_same_training_twice_the_one_that_went_further_counts() {
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, plan: &str, steps: &[u64]| {
        write(
            &dir.path().join(name),
            &[("plan.toml", plan), ("episodes.csv", &rows(steps))],
        );
    };
    run("a", &plan(1, ""), &[100, 300]);
    run("b", &plan(1, ""), &[100, 200]);
    run("other seed", &plan(2, ""), &[100]);
    run("other settings", &plan(1, "rate = 2"), &[100]);
    let got = gathered(dir.path());
    let names: Vec<_> = got
        .runs
        .iter()
        .filter_map(|run| run.path.file_name()?.to_str())
        .collect();
    assert_eq!(names, ["a", "other seed", "other settings"]);
    assert!(got.left_out[0].path.ends_with("b"), "{:?}", got.left_out);
    assert!(
        got.left_out[0].why.contains("a, which counts"),
        "{:?}",
        got.left_out
    );
    // A folder that is given twice is read once.
    let twice = gather(&[dir.path().to_owned(), dir.path().join("a")], &[]).unwrap();
    assert_eq!(twice.runs.len(), 3);
}
