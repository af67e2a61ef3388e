//! A run as a process of its own: the same binary, in a process group of its own so that a Ctrl-C reaches it once, from the sweep.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::cores::Shares;
use super::grid::GridRun;
use super::standing::Standing;
use crate::run::atomic::write_whole;

/// Where the runs and the sweep's own files are.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder of all runs.
    pub(super) runs_root: PathBuf,
    /// The sweep's own folder below it: logs, and the plans that runs are started with.
    pub(super) notes: PathBuf,
}

/// A process at work.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    log: PathBuf,
    /// Where its own words begin in the log.
    log_start: u64,
    started: Instant,
}

impl Place {
    /// The files of a sweep into `runs_root`.
    pub(super) fn new(runs_root: &Path) -> Self {
        Self {
            notes: runs_root.join(".sweep"),
            runs_root: runs_root.to_owned(),
        }
    }

    /// What the process of a run prints.
    pub(super) fn log(&self, run: &GridRun) -> PathBuf {
        self.notes.join(format!("{}.log", run.file_stem()))
    }

    /// The folder of a run.
    pub(super) fn folder(&self, run: &GridRun) -> PathBuf {
        self.runs_root.join(run.path())
    }

    /// The command that brings a run further; what is needed for it is written.
    ///
    /// # Errors
    /// What the file system answered.
    fn command(&self, run: &GridRun, standing: &Standing) -> Result<Command> {
        let mut command = Command::new(this_binary()?);
        command.arg0("rlrun").arg("train");
        let folder = self.folder(run);
        if matches!(standing, Standing::Resumed(_)) {
            command.arg("--resume").arg(folder);
            return Ok(command);
        }
        if matches!(standing, Standing::Anew) {
            put_aside(&folder)?;
        }
        let plan = self.notes.join(format!("{}.toml", run.file_stem()));
        write_whole(&plan, run.plan.to_toml().as_bytes())
            .with_context(|| format!("writing {}", plan.display()))?;
        command.arg("--config").arg(plan);
        command.arg("--runs").arg(&self.runs_root);
        command.args(["--name", &run.name]);
        Ok(command)
    }
}

impl Child {
    /// Starts or resumes `run` as job `number`.
    ///
    /// # Errors
    /// If the process or its files cannot be made.
    pub(super) fn start(
        place: &Place,
        run: &GridRun,
        standing: &Standing,
        (shares, number): (&Shares, usize),
    ) -> Result<Self> {
        let mut command = place.command(run, standing)?;
        if shares.are_shared() {
            command.arg("--share-cores");
        }
        let log = place.log(run);
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("writing {}", log.display()))?;
        let log_start = file.metadata().map_or(0, |metadata| metadata.len());
        let stderr = file
            .try_clone()
            .with_context(|| format!("writing {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(stderr)
            .process_group(0);
        let process = shares.within(number, || command.spawn());
        Ok(Self {
            process: process.context("starting a process for the run")?,
            log,
            log_start,
            started: Instant::now(),
        })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// If the system does not know it.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.process.try_wait().context("waiting for a run")
    }

    /// For how long it has been there.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sends it a signal; one that has just ended hears none.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).ok();
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// The last lines that it printed.
    pub(super) fn last_words(&self, n_lines: usize) -> Vec<String> {
        let words = || {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(self.log_start))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            std::io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let words = words().unwrap_or_default();
        let lines: Vec<&str> = words
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let first = lines.len().saturating_sub(n_lines);
        lines[first..].iter().map(|&line| line.to_owned()).collect()
    }
}

/// How a process ended that should have reached its end, in words.
pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "was stopped before its end".to_owned(),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended somehow".to_owned(),
    }
}

/// On Linux the very file that this process was started from, also when another one was built in its place meanwhile: all runs of a
/// sweep are of one version.
fn this_binary() -> Result<PathBuf> {
    let same = PathBuf::from("/proc/self/exe");
    if same.exists() {
        return Ok(same);
    }
    std::env::current_exe().context("finding the program itself")
}

/// Nothing that is there is lost.
fn put_aside(folder: &Path) -> Result<()> {
    let time = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let mut aside = folder.as_os_str().to_owned();
    aside.push(format!(".without-checkpoint-{time}"));
    fs::rename(folder, &aside).with_context(|| format!("putting {} aside", folder.display()))
}
