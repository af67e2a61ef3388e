//! Which file a replay memory lies in, and how it is found again.
//!
//! ```text
//! in RAM     RUN/replay.bin
//! mapped     DIR/<game>-<protocol>-<torso>-<run>.replay      replay.dir of the plan; a number follows where the name is taken
//!            RUN/replay.name                                 the name alone
//! ```
//!
//! The run folder keeps the name, so it may be renamed and moved; the plan has the folder, so `--resume RUN --replay-dir DIR` goes
//! on where the memory was moved. Runs of earlier versions have no `replay.name`: their file is named after the run folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rlrun_agents::dqn::DqnConfig;
use rlrun_agents::replay::{Region, ReplayShape};
use rlrun_envs::{EnvSpec, ObsShape};

use crate::plan::{Plan, ReplayPlan, ReplaySlack};
use crate::run::atomic::write_whole;
use crate::run::replay_file::{Contents, ReplayFile, ReplayFileError, Residence, Voucher};

/// Name of the file in the run folder.
const FILE: &str = "replay.bin";
/// What holds the name of a mapped file.
const NAME: &str = "replay.name";

/// An open file with the region that the memory lies in.
pub(crate) type Opened = (ReplayFile, Box<dyn Region>);

/// What the file of a run's memory is of, and where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Filing {
    /// Game and protocol.
    identity: String,
    torso: String,
    shape: ReplayShape,
    plan: ReplayPlan,
}

impl Filing {
    /// That of a run by `plan`. `spec` is of its environments, in however many groups.
    pub(crate) fn new(
        plan: &Plan,
        (config, replay): (&DqnConfig, &ReplayPlan),
        spec: &EnvSpec,
    ) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rewards are summed in 32-bit floats, like the network computes"
        )]
        let discount = config.discount as f32;
        let stack = match spec.obs_shape {
            ObsShape::Frames([n_frames, ..]) => n_frames,
            ObsShape::Features(_) => 1,
        };
        let slack = ReplaySlack::of(config, plan.env.n_envs);
        let shape = ReplayShape {
            n_envs: plan.env.n_envs,
            capacity: config.replay_capacity,
            slack: slack.slots,
            late: slack.late,
            frame_len: spec.obs_len() / stack,
            stack,
            n_step: config.n_step,
            discount,
        };
        Self {
            identity: format!("{} {}", plan.game, plan.protocol),
            torso: plan.torso.kind.to_string(),
            shape,
            plan: replay.clone(),
        }
    }

    /// Whether the memory is mapped from a file outside the run folder.
    pub(crate) fn is_mapped(&self) -> bool {
        self.plan.is_mapped()
    }

    /// Sizes of the memory.
    pub(super) fn shape(&self) -> ReplayShape {
        self.shape
    }

    /// Makes the file of the run in `folder`, for an empty memory.
    ///
    /// # Errors
    /// There is no room for it, or the system refuses.
    pub(super) fn create(&self, folder: &Path) -> Result<Opened, ReplayFileError> {
        if !self.plan.is_mapped() {
            return ReplayFile::create(&folder.join(FILE), &self.contents());
        }
        let stem = self.stem(folder, true);
        for number in 1.. {
            let name = match number {
                1 => format!("{stem}.replay"),
                _ => format!("{stem}-{number}.replay"),
            };
            match ReplayFile::create(&self.plan.dir.join(&name), &self.contents()) {
                Err(error) if error.io_kind() == Some(io::ErrorKind::AlreadyExists) => {}
                Err(error) => return Err(error),
                Ok(opened) => {
                    let path = folder.join(NAME);
                    let written = write_whole(&path, format!("{name}\n").as_bytes());
                    return match written {
                        Ok(()) => Ok(opened),
                        Err(source) => {
                            // Nobody would ever find it.
                            let _ = fs::remove_file(self.plan.dir.join(name));
                            let what = "write the name of";
                            Err(ReplayFileError::Io { what, path, source })
                        }
                    };
                }
            }
        }
        unreachable!("numbers do not end")
    }

    /// Opens the file of the run in `folder` as `voucher` knows it.
    ///
    /// # Errors
    /// It is gone, in use, of another run, or not as it was.
    pub(crate) fn open(&self, folder: &Path, voucher: &Voucher) -> Result<Opened, ReplayFileError> {
        ReplayFile::open(&self.path(folder), &self.contents(), voucher)
    }

    /// Removes the file of the run in `folder`, if it is there.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn remove(&self, folder: &Path) -> Result<(), ReplayFileError> {
        let path = self.path(folder);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ReplayFileError::Io {
                what: "remove",
                path,
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Where the file of the run in `folder` is.
    fn path(&self, folder: &Path) -> PathBuf {
        if !self.plan.is_mapped() {
            return folder.join(FILE);
        }
        let name = fs::read_to_string(folder.join(NAME));
        let name = name.map_or_else(
            |_| format!("{}.replay", self.stem(folder, false)),
            |name| name.trim().to_owned(),
        );
        self.plan.dir.join(name)
    }

    /// The beginning of a mapped file's name.
    fn stem(&self, folder: &Path, with_torso: bool) -> String {
        let game = self.identity.replace([' ', ':'], "-");
        // `.` is a name of it, too.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let run = folder.file_name().unwrap_or_default().to_string_lossy();
        if with_torso {
            format!("{game}-{}-{run}", self.torso)
        } else {
            format!("{game}-{run}")
        }
    }

    fn contents(&self) -> Contents<'_> {
        Contents {
            identity: &self.identity,
            shape: self.shape,
            residence: if self.plan.is_mapped() {
                Residence::Mapped
            } else {
                Residence::InMemory
            },
        }
    }
}
