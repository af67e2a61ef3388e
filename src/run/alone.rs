//! For tests: a test in a process of its own, where signals and limits on resources hold for it alone.

use std::env;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the ignored test `test` of the module `module` (its `module_path!()`) in the folder `dir`, in a shell that has run
/// `preparation` first.
pub(crate) fn run_alone(module: &str, test: &str, dir: &Path, preparation: &str) -> Output {
    let (_, module) = module.split_once("::").expect("a module of a crate");
    let output = Command::new("sh")
        .args([
            "-c",
            &format!(r#"{preparation} exec "$0" --exact --ignored --nocapture "$1""#),
        ])
        .arg(env::current_exe().unwrap())
        .arg(format!("{module}::{test}"))
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("running 1 test"),
        "no test {module}::{test}: {said}"
    );
    output
}

/// Whether this is such a process, and not someone's `cargo test -- --ignored`.
pub(crate) fn is_alone() -> bool {
    env::args().any(|argument| argument == "--exact")
}
