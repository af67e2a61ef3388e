//! `rlrun doctor`: what was found on this machine, what is missing, and the command that mends it.

mod disk;
mod torch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use rlrun_envs::{CLASSICS_MEND, EnvError, HAS_CLASSICS, python};
use serde::Serialize;

use crate::config::{Layers, grouped};
use crate::plan::{AgentKind, Machine, memory_bytes};

/// The version of the libtorch that is loaded, if a file beside it tells.
pub(crate) fn libtorch_version() -> Option<String> {
    torch::loaded().map(|libtorch| libtorch.version)
}

/// The versions of all that takes part in a run, by name.
///
/// # Errors
/// Python or ale-py cannot be had; the message names the command that mends it.
pub(crate) fn versions() -> Result<BTreeMap<String, String>, EnvError> {
    let found = python::versions()?;
    let libtorch = libtorch_version().unwrap_or_else(|| "unknown".to_owned());
    Ok(BTreeMap::from([
        ("libtorch".to_owned(), libtorch),
        ("rlrun".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("python".to_owned(), found.python),
        ("ale-py".to_owned(), found.ale_py),
        ("numpy".to_owned(), found.numpy),
    ]))
}

/// Bytes that this user may still write to the disk of `dir`, or of where it would be made; `None` where the system does not say.
pub(crate) fn free_disk_bytes(dir: &Path) -> Option<u64> {
    disk::free_bytes(&disk::nearest_existing(dir))
}

/// The command that sets everything up.
const BOOTSTRAP: &str = "scripts/bootstrap";
/// What a run's checkpoints and logs fit in, with room to spare.
const DISK_BYTES: u64 = 500_000_000;

/// One thing that was looked for.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked for.
    what: &'static str,
    /// How it stands.
    state: State,
    /// What was found, or why not.
    detail: String,
    /// The command or step that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Found,
    /// Not there, and not needed.
    Absent,
    /// Needed for training.
    Missing,
}

/// What was found, as a page for people or JSON for programs, and whether nothing needed is missing.
pub(crate) fn examine(runs: &Path, as_json: bool) -> (String, bool) {
    let findings = findings(runs, &Machine::detect());
    let is_well = findings
        .iter()
        .all(|finding| finding.state != State::Missing);
    let text = if as_json {
        serde_json::to_string_pretty(&findings).expect("findings have a form in JSON")
    } else {
        page(&findings)
    };
    (text, is_well)
}

fn findings(runs: &Path, machine: &Machine) -> Vec<Finding> {
    let binary = std::env::current_exe()
        .map_or_else(|_| String::new(), |exe| format!(" ({})", exe.display()));
    let mut all = vec![
        found("rlrun", format!("{}{binary}", env!("CARGO_PKG_VERSION"))),
        libtorch(),
        cuda(machine),
        found(
            "CPU",
            format!("{} cores; {}", machine.cores, instruction_sets()),
        ),
        memory(machine),
    ];
    all.extend(python());
    all.push(classics());
    all.push(runs_folder(runs));
    all.push(free_disk(runs));
    all
}

fn found(what: &'static str, detail: String) -> Finding {
    Finding {
        what,
        state: State::Found,
        detail,
        mend: None,
    }
}

fn lacking(what: &'static str, state: State, detail: String, mend: &str) -> Finding {
    Finding {
        what,
        state,
        detail,
        mend: Some(mend.to_owned()),
    }
}

fn libtorch() -> Finding {
    let Some(loaded) = torch::loaded() else {
        return found(
            "libtorch",
            "loaded; the system does not say from where".to_owned(),
        );
    };
    let detail = format!("{} in {}", loaded.version, loaded.dir.display());
    if loaded.is_pair() {
        return found("libtorch", detail);
    }
    let detail = format!("{detail}; this binary is made for {}", torch::PAIR);
    lacking("libtorch", State::Missing, detail, BOOTSTRAP)
}

fn cuda(machine: &Machine) -> Finding {
    if machine.cuda_devices > 0 {
        let cudnn = if tch::Cuda::cudnn_is_available() {
            "with"
        } else {
            "without"
        };
        return found(
            "CUDA",
            format!("{} device(s), {cudnn} cuDNN", machine.cuda_devices),
        );
    }
    let (detail, mend) = match torch::loaded() {
        Some(loaded) if loaded.version.ends_with("+cpu") => (
            "this libtorch is for CPUs only",
            "not needed to train on the CPU; for a GPU, scripts/bootstrap with the CUDA wheel of torch",
        ),
        _ => (
            "libtorch finds no device",
            "not needed to train on the CPU; for a GPU, install NVIDIA's driver until nvidia-smi lists it",
        ),
    };
    lacking("CUDA", State::Absent, detail.to_owned(), mend)
}

/// The sets of vector instructions that libtorch chooses its kernels by, and rlrun whether it has its own.
fn instruction_sets() -> String {
    #[cfg(target_arch = "x86_64")]
    let flags = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let flags = [("neon", cfg!(target_feature = "neon"))];
    let has: Vec<&str> = flags
        .into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect();
    format!("{} {}", std::env::consts::ARCH, has.join(" "))
}

fn memory(machine: &Machine) -> Finding {
    let config = Layers::defaults(AgentKind::A2c)
        .config()
        .expect("a test reads the defaults");
    let needed = memory_bytes(&config.agent(), config.env.n_envs);
    match machine.available_bytes {
        None => found("memory", "the system does not say".to_owned()),
        Some(bytes) if bytes >= needed => {
            found("memory", format!("{} available", megabytes(bytes)))
        }
        Some(bytes) => {
            let detail = format!(
                "{} available, {} needed",
                megabytes(bytes),
                megabytes(needed)
            );
            lacking(
                "memory",
                State::Missing,
                detail,
                "end other programs, or use fewer --envs",
            )
        }
    }
}

/// Python and what is imported from it. What stands behind a missing piece cannot be looked at.
fn python() -> Vec<Finding> {
    match python::versions() {
        Err(error) => vec![lacking(
            "Python",
            State::Missing,
            error.to_string(),
            BOOTSTRAP,
        )],
        Ok(versions) => {
            let roms = format!("{} in {}", versions.n_roms, versions.roms_dir.display());
            let venv = versions.venv.display();
            vec![
                found("Python", format!("{} in {venv}", versions.python)),
                found("numpy", versions.numpy),
                found("ale-py", versions.ale_py),
                match versions.n_roms {
                    0 => lacking("ROMs", State::Missing, roms, BOOTSTRAP),
                    _ => found("ROMs", roms),
                },
            ]
        }
    }
}

/// CartPole and MountainCar, which need a library of the system when rlrun is built.
fn classics() -> Finding {
    if HAS_CLASSICS {
        return found("gym-rs", "built in: CartPole and MountainCar".to_owned());
    }
    let detail = "not built in: no CartPole and MountainCar".to_owned();
    lacking("gym-rs", State::Absent, detail, CLASSICS_MEND)
}

fn runs_folder(runs: &Path) -> Finding {
    let existing = disk::nearest_existing(runs);
    let shown = runs.display();
    if disk::is_writable(&existing) {
        return found("runs folder", format!("{shown} can be written"));
    }
    let detail = format!(
        "{shown} cannot be written: {} is not ours to write",
        existing.display()
    );
    let mend = format!(
        "chmod u+w {}, or --runs with another folder",
        existing.display()
    );
    lacking("runs folder", State::Missing, detail, &mend)
}

fn free_disk(runs: &Path) -> Finding {
    match free_disk_bytes(runs) {
        None => found("disk", "the system does not say".to_owned()),
        Some(bytes) if bytes >= DISK_BYTES => found("disk", format!("{} free", megabytes(bytes))),
        Some(bytes) => {
            let detail = format!("{} free", megabytes(bytes));
            let mend = format!("free {}, or --runs on another disk", megabytes(DISK_BYTES));
            lacking("disk", State::Missing, detail, &mend)
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", grouped(bytes / 1_000_000))
}

/// One line for each finding, and one below for what mends it.
fn page(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Found => '✓',
            State::Absent => '–',
            State::Missing => '✗',
        };
        let _ = writeln!(text, "{mark} {:<13}{}", finding.what, finding.detail);
        if let Some(mend) = &finding.mend {
            let _ = writeln!(text, "{:15}mend: {mend}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_shown_with_what_mends_it() {
        let page = page(&[
            found("numpy", "2.4".to_owned()),
            lacking("ROMs", State::Missing, "0 in x".to_owned(), BOOTSTRAP),
        ]);
        let expected =
            "✓ numpy        2.4\n✗ ROMs         0 in x\n               mend: scripts/bootstrap\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn a_machine_without_memory_is_not_well() {
        let poor = Machine {
            cores: 1,
            available_bytes: Some(1_000_000),
            cuda_devices: 0,
            multiplies_bf16: false,
        };
        assert_eq!(memory(&poor).state, State::Missing);
        assert_eq!(cuda(&poor).state, State::Absent);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(runs_folder(&file.join("runs")).state, State::Missing);
        assert_eq!(runs_folder(&dir.path().join("runs")).state, State::Found);
        assert!(!dir.path().join("runs").exists());
    }
}
