//! Python stays in its room: silent, its lock free while the emulators work, and every missing piece named.
//!
//! What a whole process prints, or does under other variables, is seen by running one ignored test of this binary in a
//! child process.

use std::env;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pyo3::Python;
use rlrun_envs::{EnvError, ProtocolName, StepBatch, make, python};

use crate::scripted_player::play;
use crate::setup::{config, start};

/// Runs an ignored test of this binary alone, with these variables.
fn run_child(test: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "--test-threads=1",
            test,
        ])
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn check_child(test: &str, variables: &[(&str, &str)]) -> String {
    let output = run_child(test, variables);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}\n{stderr}"
    );
    assert_eq!(stderr, "", "something was printed");
    stdout.into_owned()
}

#[test]
fn nothing_of_python_or_ale_is_printed() {
    let stdout = check_child("python::child_plays", &[]);
    let foreign: Vec<&str> = stdout
        .lines()
        .filter(|line| {
            !line.is_empty() && !line.starts_with("running 1") && !line.starts_with("test ")
        })
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn variables_of_the_users_shell_do_not_reach_the_interpreter() {
    check_child(
        "python::child_plays",
        &[
            ("PYTHONHOME", "/nonexistent"),
            ("PYTHONPATH", "/nonexistent"),
            ("PATH", "/nonexistent"),
        ],
    );
}

#[test]
#[ignore = "runs in a child process"]
fn child_plays() {
    let (mut env, _) = start(&config("MsPacman", ProtocolName::Baselines, 1), &[1]);
    play(env.as_mut(), &[1], 20);
}

#[test]
fn a_missing_rom_is_named_with_the_remedy() {
    let roms = env::temp_dir().join(format!("rlrun-envs-roms-{}", std::process::id()));
    std::fs::create_dir_all(&roms).unwrap();
    std::fs::write(roms.join("ms_pacman.bin"), [0_u8; 4096]).unwrap();
    check_child(
        "python::child_misses_a_rom",
        &[("ALE_ROMS_DIR", roms.to_str().unwrap())],
    );
    std::fs::remove_dir_all(roms).unwrap();
}

#[test]
#[ignore = "runs in a child process"]
fn child_misses_a_rom() {
    let error = make(&config("Pong", ProtocolName::Baselines, 1))
        .err()
        .unwrap();
    assert!(
        matches!(error, EnvError::RomMissing { game: "Pong", .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("pong.bin") && text.contains("scripts/bootstrap"),
        "{text}"
    );
    let error = make(&config("MsPacman", ProtocolName::Baselines, 1))
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            EnvError::RomUnsupported {
                game: "MsPacman",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_missing_virtual_environment_is_named_with_the_remedy() {
    check_child(
        "python::child_misses_the_venv",
        &[("RLRUN_VENV", "/nonexistent/venv")],
    );
}

#[test]
#[ignore = "runs in a child process"]
fn child_misses_the_venv() {
    for _ in 0..2 {
        let error = python::versions().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, EnvError::VenvMissing { .. }), "{text}");
        assert!(
            text.contains("/nonexistent/venv") && text.contains("scripts/bootstrap"),
            "{text}"
        );
    }
}

#[test]
fn a_virtual_environment_without_ale_py_is_named_with_the_remedy() {
    let found = python::versions().unwrap();
    let short: Vec<&str> = found.python.split('.').take(2).collect();
    let dir = env::temp_dir().join(format!("rlrun-envs-bare-{}", std::process::id()));
    std::fs::create_dir_all(dir.join(format!("lib/python{}/site-packages", short.join("."))))
        .unwrap();
    std::fs::copy(found.venv.join("pyvenv.cfg"), dir.join("pyvenv.cfg")).unwrap();
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    check_child(
        "python::child_misses_ale_py",
        &[("RLRUN_VENV", dir.to_str().unwrap())],
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
#[ignore = "runs in a child process"]
fn child_misses_ale_py() {
    let error = python::versions().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, EnvError::Import { .. }), "{text}");
    assert!(text.contains("scripts/bootstrap"), "{text}");
}

#[test]
fn versions_say_what_was_found() {
    let versions = python::versions().unwrap();
    assert_eq!(versions.ale_py, "0.12.1");
    assert_eq!(versions.n_roms, 108);
    assert!(versions.numpy.starts_with("2."), "{versions:?}");
    assert!(versions.venv.join("pyvenv.cfg").is_file(), "{versions:?}");
}

#[test]
fn pythons_lock_is_free_while_the_emulators_work() {
    let mut env = make(&config("MsPacman", ProtocolName::Baselines, 4)).unwrap();
    let mut batch = StepBatch::new(env.spec());
    let is_over = AtomicBool::new(false);
    let n_attached = thread::scope(|scope| {
        scope.spawn(|| {
            // Loads four ROMs: a third of a second, all of it inside ALE.
            env.reset(&[1, 2, 3, 4], &mut batch).unwrap();
            is_over.store(true, Ordering::Release);
        });
        let mut n_attached = 0;
        while !is_over.load(Ordering::Acquire) {
            Python::attach(|_| n_attached += 1);
            thread::yield_now();
        }
        n_attached
    });
    assert!(
        n_attached > 50,
        "attached {n_attached} times during a reset"
    );
}

#[test]
fn batches_on_several_threads_neither_wait_for_nor_disturb_one_another() {
    let config = config("Pong", ProtocolName::Baselines, 1);
    thread::scope(|scope| {
        for seed in 0..3 {
            let config = &config;
            scope.spawn(move || {
                let (mut env, _) = start(config, &[seed]);
                play(env.as_mut(), &[seed], 200);
            });
        }
    });
}
