//! `rlrun tensorboard`: what it refuses, and what TensorBoard calls the runs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use crate::program::Workplace;
use crate::resume::wait_until;

/// Ends with the test, however that ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

/// The body of the answer to a GET, empty while there is none.
fn get(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    if stream.write_all(request.as_bytes()).is_ok() {
        let _ = stream.read_to_string(&mut answer);
    }
    answer
        .split_once("\r\n\r\n")
        .map_or_else(String::new, |(_, body)| body.to_owned())
}

#[test]
fn what_cannot_be_shown_is_refused_with_what_to_do() {
    let here = Workplace::new();
    let ended = here.rlrun("tensorboard");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no folder runs"), "{ended:?}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it has an address").port();
    let ended = here.rlrun(&format!("tensorboard --runs . --port {port}"));
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("another --port"), "{ended:?}");

    here.write("pyvenv.cfg", "home = /usr/bin\n");
    let mut command = here.command("tensorboard --runs .");
    let output = command.env("RLRUN_VENV", here.path()).output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("scripts/bootstrap"));
}

#[test]
fn runs_are_called_by_game_torso_and_seed() {
    let here = Workplace::new();
    for torso in ["conv", "coordconv"] {
        let words = format!("--game probe:lives --torso {torso} --steps 4k --name seed1 --quiet");
        assert_eq!(here.rlrun(&words).status, Some(0));
    }
    let port = free_port();
    let mut command = here.command(&format!("tensorboard --port {port}"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _tensorboard = Killed(command.spawn().expect("the program starts"));
    wait_until("TensorBoard lists both runs", || {
        let runs: Vec<String> = serde_json::from_str(&get(port, "/data/runs")).unwrap_or_default();
        runs == [
            "probe:lives/a2c-conv/seed1",
            "probe:lives/a2c-coordconv/seed1",
        ]
    });
    wait_until("the HParams tab knows them", || {
        let tags = get(port, "/data/plugins_listing");
        let tags: serde_json::Value = serde_json::from_str(&tags).unwrap_or_default();
        tags["hparams"]["enabled"] == true
    });
}
