//! What every measurement prints, and the same numbers as JSON: the machine, the command, rows.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::clock::{Clock, digits};
use super::table::Table;
use crate::cli;
use crate::doctor::libtorch_version;
use crate::plan::Machine;
use crate::request::RequestError;

/// A measurement that is going on.
#[derive(Debug)]
pub(super) struct Report {
    what: &'static str,
    clock: Clock,
    machine: MachineReport,
    json: Option<JsonFile>,
}

/// The machine, for someone who compares numbers.
#[derive(Clone, Debug, Serialize)]
struct MachineReport {
    cores: usize,
    cpu: Option<String>,
    libtorch: Option<String>,
}

/// The JSON file.
#[derive(Serialize)]
struct Document<'a, R> {
    bench: &'static str,
    command: String,
    machine: &'a MachineReport,
    seconds_per_repeat: f64,
    repeats: u64,
    notes: &'a [String],
    rows: &'a [R],
}

impl Report {
    /// To be opened before anything is measured, so that numbers have somewhere to go.
    ///
    /// # Errors
    /// If the JSON file cannot be written.
    pub(super) fn open(
        what: &'static str,
        machine: &Machine,
        clock: Clock,
        json: Option<&Path>,
    ) -> Result<Self, RequestError> {
        let machine = MachineReport {
            cores: machine.cores,
            cpu: cpu_model(),
            libtorch: libtorch_version(),
        };
        let json = json.map(JsonFile::open).transpose()?;
        Ok(Self {
            what,
            clock,
            machine,
            json,
        })
    }

    /// Prints the tables and the notes below them, and writes the rows.
    ///
    /// # Errors
    /// If the JSON file cannot be written after all.
    pub(super) fn finish<R: Serialize>(
        self,
        tables: &[Table],
        notes: &[String],
        rows: &[R],
    ) -> Result<()> {
        let mut text = self.head();
        for table in tables {
            text.push('\n');
            text += &table.text();
        }
        if !notes.is_empty() {
            text.push('\n');
            text += &notes.join("\n");
        }
        cli::print(&text);
        let document = Document {
            bench: self.what,
            command: command_line(),
            machine: &self.machine,
            seconds_per_repeat: self.clock.length.as_secs_f64(),
            repeats: self.clock.repeats,
            notes,
            rows,
        };
        self.json.map_or(Ok(()), |file| file.write(&document))
    }

    /// The line above all tables.
    fn head(&self) -> String {
        let MachineReport {
            cores,
            cpu,
            libtorch,
        } = &self.machine;
        format!(
            "bench {}: {cores} cores of {}, libtorch {}; medians of {} repeats of {} s\n",
            self.what,
            cpu.as_deref().unwrap_or("an unknown processor"),
            libtorch.as_deref().unwrap_or("of unknown version"),
            self.clock.repeats,
            digits(self.clock.length.as_secs_f64()),
        )
    }
}

/// A file that is opened before its content is known. One that is new and stays without content is removed.
#[derive(Debug)]
struct JsonFile {
    path: PathBuf,
    file: File,
    is_to_remove: bool,
}

impl JsonFile {
    fn open(path: &Path) -> Result<Self, RequestError> {
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options
            .open(path)
            .map_err(|error| RequestError::new(format!("--json {}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            is_to_remove: is_new,
        })
    }

    fn write(mut self, document: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string_pretty(document)? + "\n";
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.write_all(json.as_bytes()));
        written.with_context(|| format!("writing {}", self.path.display()))?;
        self.is_to_remove = false;
        Ok(())
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        if self.is_to_remove {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What was typed, under the program's plain name.
fn command_line() -> String {
    let words = std::env::args().skip(1);
    std::iter::once("rlrun".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// As Linux calls the processor; none elsewhere.
fn cpu_model() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_without_content_is_removed_and_an_old_one_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers.json");
        drop(JsonFile::open(&path).unwrap());
        assert!(!path.exists());

        fs::write(&path, "old numbers, longer than the new ones").unwrap();
        drop(JsonFile::open(&path).unwrap());
        assert!(fs::read_to_string(&path).unwrap().starts_with("old"));

        JsonFile::open(&path).unwrap().write(&[1]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  1\n]\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = JsonFile::open(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("--json "), "{error}");
        assert!(JsonFile::open(&dir.path().join("none/a.json")).is_err());
    }
}
