//! `rlrun tensorboard`: the TensorBoard that scripts/bootstrap installed, on a folder of runs.
//!
//! It names each run by its folder below the one that is shown: `MsPacman/a2c-coordconv/seed1`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rlrun_envs::python;

use crate::request::RequestError;

/// Between two looks at whether it answers.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What `rlrun tensorboard` is asked.
#[derive(Debug)]
pub(crate) struct TensorboardRequest<'a> {
    /// The folder of runs.
    pub(crate) runs: &'a Path,
    /// Where it listens.
    pub(crate) port: u16,
    /// Whether a browser is to show it.
    pub(crate) open: bool,
    /// More arguments for it.
    pub(crate) arguments: &'a [String],
}

/// Becomes TensorBoard; or waits for it to end, if a browser is to be opened when it answers.
///
/// # Errors
/// A [`RequestError`] if there is no such folder, no TensorBoard, or if the port is taken; or if it cannot be started.
pub(crate) fn run(request: &TensorboardRequest<'_>) -> Result<ExitCode> {
    let runs = request.runs;
    if !runs.is_dir() {
        return Err(RequestError::new(format!(
            "there is no folder {} to show; --runs names the one that the runs are in",
            runs.display()
        ))
        .into());
    }
    let python = interpreter()?;
    check_port(request.port)?;
    let mut command = Command::new(&python);
    command.args(["-m", "tensorboard.main", "--logdir"]);
    command.arg(runs).arg(format!("--port={}", request.port));
    command.args(request.arguments);
    if !request.open {
        return Err(command.exec()).with_context(|| format!("starting {}", python.display()));
    }
    let mut tensorboard = command
        .spawn()
        .with_context(|| format!("starting {}", python.display()))?;
    if wait_until_it_answers(&mut tensorboard, request.port)? {
        show(&python, request.port);
    }
    let status = tensorboard.wait().context("waiting for TensorBoard")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The Python that has TensorBoard.
fn interpreter() -> Result<PathBuf, RequestError> {
    let (python, packages) =
        python::interpreter_and_packages().map_err(|error| RequestError::new(error.to_string()))?;
    if packages.join("tensorboard").is_dir() {
        return Ok(python);
    }
    Err(RequestError::new(format!(
        "there is no TensorBoard in {}; install it with scripts/bootstrap, or {} -m pip install tensorboard",
        packages.display(),
        python.display()
    )))
}

/// TensorBoard would say it in many lines.
fn check_port(port: u16) -> Result<(), RequestError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(RequestError::new(format!(
            "port {port} cannot be had ({error}), perhaps because a TensorBoard shows http://localhost:{port}/ already; \
             choose another --port"
        ))),
    }
}

/// False if it ended before.
fn wait_until_it_answers(tensorboard: &mut Child, port: u16) -> Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect_timeout(&address, LOOK_INTERVAL).is_err() {
        if tensorboard
            .try_wait()
            .context("waiting for TensorBoard")?
            .is_some()
        {
            return Ok(false);
        }
        thread::park_timeout(LOOK_INTERVAL);
    }
    Ok(true)
}

/// Python knows how to open a browser on each system. Where there is none, TensorBoard has printed where it is.
fn show(python: &Path, port: u16) {
    let _ = Command::new(python)
        .args(["-m", "webbrowser", "-t"])
        .arg(format!("http://localhost:{port}/"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
}
