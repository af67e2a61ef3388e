//! Which libtorch is loaded. libtorch's C interface does not tell its version, the files beside the library do.

use std::fs;
use std::path::{Path, PathBuf};

/// The version that the crate `tch` is the pair of; patch releases of it fit too.
pub(super) const PAIR: &str = "2.11.0";

/// The libtorch of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Libtorch {
    /// As in `2.11.0+cu130`; `unknown version` where no file tells.
    pub(super) version: String,
    /// The folder above `lib`.
    pub(super) dir: PathBuf,
}

impl Libtorch {
    /// Whether it is the version that this binary is made for, or does not say otherwise.
    pub(super) fn is_pair(&self) -> bool {
        let minor = |version: &str| {
            let mut parts = version.split('.').map(str::to_owned);
            (parts.next(), parts.next())
        };
        !self.version.starts_with(|c: char| c.is_ascii_digit())
            || minor(&self.version) == minor(PAIR)
    }
}

/// Finds the library in the process's map of memory, or where it was linked from where there is none (macOS).
pub(super) fn loaded() -> Option<Libtorch> {
    let mapped = fs::read_to_string("/proc/self/maps")
        .ok()
        .and_then(|maps| library(&maps));
    let dir = match mapped {
        Some(library) => library.parent()?.parent()?.to_owned(),
        None => PathBuf::from(option_env!("LIBTORCH")?),
    };
    let version = version(&dir).unwrap_or_else(|| "unknown version".to_owned());
    Some(Libtorch { version, dir })
}

fn library(maps: &str) -> Option<PathBuf> {
    let line = maps
        .lines()
        .find(|line| line.contains("/libtorch_cpu.so"))?;
    Some(PathBuf::from(&line[line.find('/')?..]))
}

/// From `version.py` of the Python package, or `build-version` of the archive.
fn version(dir: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(dir.join("version.py")) {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        return Some(line.split(['\'', '"']).nth(1)?.to_owned());
    }
    let text = fs::read_to_string(dir.join("build-version")).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_in_a_map_of_memory() {
        let maps = "7f00-7f01 r--p 00000000 fe:00 12   /usr/lib/libc.so.6\n\
                    7f02-7f03 r-xp 00000000 fe:00 13   /a b/torch/lib/libtorch_cpu.so\n";
        let expected = PathBuf::from("/a b/torch/lib/libtorch_cpu.so");
        assert_eq!(library(maps), Some(expected));
        assert_eq!(library(""), None);
    }

    #[test]
    fn the_version_is_read_from_either_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(version(dir.path()), None);
        fs::write(dir.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        assert_eq!(version(dir.path()).as_deref(), Some("2.11.0+cpu"));
        let text = "from typing import Optional\n__version__ = '2.11.0+cu130'\ndebug = False\n";
        fs::write(dir.path().join("version.py"), text).unwrap();
        assert_eq!(version(dir.path()).as_deref(), Some("2.11.0+cu130"));
    }

    #[test]
    fn another_minor_version_is_no_pair() {
        let check = |version: &str, expected| {
            let dir = PathBuf::new();
            let version = version.to_owned();
            assert_eq!(Libtorch { version, dir }.is_pair(), expected);
        };
        check("2.11.0+cu130", true);
        check("2.11.1", true);
        check("2.10.0", false);
        check("12.11.0", false);
        check("unknown version", true);
    }
}
