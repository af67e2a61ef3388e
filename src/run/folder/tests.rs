//! A run folder is made whole, is refused with a reason, or is left as it was.

use super::*;

fn versions() -> BTreeMap<String, String> {
    BTreeMap::from([("rlrun".to_owned(), "0.1.0".to_owned())])
}

fn create(runs_root: &Path, name: Option<&str>) -> Result<RunFolder, FolderError> {
    RunFolder::create(&NewRun {
        runs_root,
        game: "MsPacman",
        agent: "a2c",
        torso: "coordconv",
        seed: 3,
        name,
        plan_toml: "game = \"MsPacman\"\n",
        versions: &versions(),
    })
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn a_new_run_has_its_place_its_plan_and_its_versions() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path(), None).unwrap();
    let path = folder
        .path()
        .strip_prefix(runs.path())
        .unwrap()
        .to_str()
        .unwrap();
    let (place, time) = path.split_at("MsPacman/a2c-coordconv/seed3-".len());
    assert_eq!(place, "MsPacman/a2c-coordconv/seed3-");
    assert_eq!(time.len(), "20250131-235959".len());
    assert_eq!(
        fs::read_to_string(folder.path().join(PLAN)).unwrap(),
        "game = \"MsPacman\"\n"
    );
    assert_eq!(
        fs::read_to_string(folder.path().join(VERSIONS)).unwrap(),
        "{\n  \"rlrun\": \"0.1.0\"\n}\n"
    );
    assert!(folder.checkpoints().is_dir());
    assert!(!folder.path().join(SUMMARY).exists());
}

#[test]
fn runs_that_begin_in_the_same_second_do_not_meet() {
    let runs = tempfile::tempdir().unwrap();
    let folders: Vec<_> = (0..3).map(|_| create(runs.path(), None).unwrap()).collect();
    assert_ne!(folders[0].path(), folders[1].path());
    assert_ne!(folders[1].path(), folders[2].path());
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_run_there_is_untouched() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path(), Some("mine")).unwrap();
    assert!(folder.path().ends_with("MsPacman/a2c-coordconv/mine"));
    fs::write(folder.episodes_csv(), "games").unwrap();
    let error = create(runs.path(), Some("mine")).unwrap_err().to_string();
    assert!(
        error.contains(&format!("--resume {}", folder.path().display())),
        "{error}"
    );
    assert_eq!(fs::read_to_string(folder.episodes_csv()).unwrap(), "games");
}

#[test]
fn names_that_are_no_single_folder_are_refused_before_anything_is_made() {
    let runs = tempfile::tempdir().unwrap();
    for name in ["", ".", "..", "../up", "a/b", ".hidden", &"x".repeat(300)] {
        assert!(
            matches!(
                create(runs.path(), Some(name)),
                Err(FolderError::BadName { .. })
            ),
            "{name:?}"
        );
    }
    assert!(is_empty(runs.path()));
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs");
    fs::write(&file, "a file").unwrap();
    let error = create(&file, None).unwrap_err().to_string();
    assert!(
        error.contains(&file.display().to_string()) && error.contains("--runs"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "a file");
}

#[test]
fn a_run_that_cannot_begin_leaves_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let made = MadeFolders::make(&runs.join("MsPacman/a2c-conv")).unwrap();
    let run = runs.join("MsPacman/a2c-conv/mine");
    fs::create_dir(&run).unwrap();
    fs::write(run.join("lock"), "1").unwrap();
    drop(made.and(run));
    assert!(is_empty(dir.path()));
}

#[test]
fn a_run_that_cannot_begin_leaves_the_run_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().join("MsPacman/a2c-conv");
    let made = MadeFolders::make(&parent).unwrap();
    // Another process began a run there before ours had a folder.
    fs::create_dir(parent.join("theirs")).unwrap();
    drop(made);
    assert!(parent.join("theirs").exists());
}

#[test]
fn a_run_is_opened_again_but_not_twice_at_once() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path(), Some("mine")).unwrap();
    let path = folder.path().to_owned();
    assert!(matches!(
        RunFolder::open(&path),
        Err(FolderError::Lock(LockError::Held { .. }))
    ));
    fs::write(folder.checkpoints().join(".rlrun-tmp-1-1"), "half").unwrap();
    drop(folder);
    let folder = RunFolder::open(&path).unwrap();
    assert!(is_empty(&folder.checkpoints()));
}

#[test]
fn what_is_no_run_folder_is_refused_with_what_it_lacks_and_gets_no_lock_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = RunFolder::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("is not a run folder: it lacks plan.toml and checkpoints"),
        "{error}"
    );
    assert!(is_empty(dir.path()));
    assert!(matches!(
        RunFolder::open(&dir.path().join("gone")),
        Err(FolderError::NoSuchFolder { .. })
    ));
}

#[test]
fn the_summary_is_written_whole() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path(), None).unwrap();
    folder
        .write_summary(&BTreeMap::from([("steps", 20_000)]))
        .unwrap();
    assert_eq!(
        fs::read_to_string(folder.path().join(SUMMARY)).unwrap(),
        "{\n  \"steps\": 20000\n}\n"
    );
}
