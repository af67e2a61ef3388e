//! The ROM file of a game, checked before ALE sees it.
//!
//! ALE ends the whole process when a file is missing or unknown to it, and plays on with a warning when its contents
//! differ from what it supports. So both are found out here.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::AtariGame;
use crate::EnvError;
use crate::python::Ale;

/// The path of the game's ROM.
///
/// # Errors
/// [`EnvError::RomMissing`] or [`EnvError::RomUnsupported`].
pub(super) fn find(game: AtariGame, ale: &Ale) -> Result<PathBuf, EnvError> {
    let info = game.info();
    let path = ale.venv.roms_dir().join(format!("{}.bin", info.rom_id));
    if !path.is_file() {
        return Err(EnvError::RomMissing {
            game: info.name,
            path,
        });
    }
    let supported = Python::attach(|py| {
        let rom_id = ale
            .interface
            .bind(py)
            .call_method1("isSupportedROM", (&path,))?;
        rom_id.extract::<Option<String>>()
    });
    match supported {
        Ok(Some(_)) => Ok(path),
        Ok(None) => Err(EnvError::RomUnsupported {
            game: info.name,
            path,
        }),
        Err(error) => Err(EnvError::Python {
            doing: "checked a ROM",
            cause: error.to_string(),
        }),
    }
}
