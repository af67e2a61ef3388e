//! One checkpoint as one safetensors file, which also Python's `safetensors` reads.
//!
//! The file's `__metadata__` holds five strings and no others:
//!
//! | key            | value                                                              |
//! |----------------|--------------------------------------------------------------------|
//! | `format`       | `rlrun-checkpoint-1`                                               |
//! | `step`         | agent steps of the run when it was saved                           |
//! | `meta`         | JSON: all that is not a tensor                                     |
//! | `tensor_names` | JSON list: the tensors' names in our order (the file has its own)  |
//! | `sha256`       | over all of the above, and name, dtype, shape and bytes of each tensor |
//!
//! Whatever was cut off, flipped or made by another program is an error with its reason, never a panic and never a
//! checkpoint. Tensors are `f32` or `i64`, on the CPU once loaded.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, TchError, Tensor};

use super::replay_file::ReplayFileError;

const FORMAT: &str = "rlrun-checkpoint-1";

/// The state of a run: tensors by name, and everything else as `M`.
#[derive(Debug)]
pub(crate) struct Checkpoint<M> {
    /// Agent steps of the run so far.
    pub(crate) step: u64,
    /// All that is not a tensor; usually a [`CheckpointMeta`](super::checkpoint_meta::CheckpointMeta).
    pub(crate) meta: M,
    /// Parameters and optimizer state, by unique names. The order is kept.
    pub(crate) tensors: Vec<(String, Tensor)>,
}

/// Why a file is not accepted as a checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Header and length do not agree.
    #[error("truncated: {n_bytes} bytes are not what its header promises")]
    Truncated {
        /// The length found.
        n_bytes: usize,
    },
    /// A damaged header, or something else altogether.
    #[error("not a safetensors file, or its header is damaged: {0}")]
    NotSafetensors(SafeTensorError),
    /// A sound safetensors file that rlrun did not write.
    #[error("not a checkpoint of rlrun: {0}")]
    Foreign(String),
    /// Some bit is not as it was written.
    #[error("checksum differs: the file says {written}, its contents give {computed}")]
    Checksum {
        /// As it stands in the file.
        written: String,
        /// As it follows from the contents.
        computed: String,
    },
    /// Whole, but of another kind of agent or another version of rlrun.
    #[error("its meta data are of another kind of run or version: {0}")]
    Meta(serde_json::Error),
    /// It is sound, and the replay memory that it vouches for is not.
    #[error("{0}")]
    Replay(ReplayFileError),
    /// libtorch could not hold the tensors.
    #[error("libtorch refuses a tensor: {0}")]
    Torch(TchError),
}

/// Why a checkpoint could not be put into bytes: a mistake of ours, not of the disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    /// Only `f32`, `f64`, `i64` and `u8` are stored.
    #[error(
        "tensor {name:?} is of kind {kind:?}; a checkpoint holds Float, Double, Int64 and Uint8"
    )]
    Kind {
        /// The tensor's name.
        name: String,
        /// Its kind.
        kind: Kind,
    },
    /// Two tensors of one name.
    #[error("two tensors are named {0:?}")]
    DuplicateName(String),
    /// A name that safetensors keeps for itself.
    #[error("a tensor cannot be named {0:?}")]
    ReservedName(String),
    /// `M` does not go into JSON.
    #[error("the meta data do not go into JSON: {0}")]
    Meta(#[from] serde_json::Error),
    /// The device did not hand out the values.
    #[error("cannot copy a tensor: {0}")]
    Torch(#[from] TchError),
    /// The header would be too large.
    #[error("cannot build the file: {0}")]
    Safetensors(#[from] SafeTensorError),
}

impl<M: Serialize> Checkpoint<M> {
    /// The bytes of the file.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let stored = stored_tensors(&self.tensors)?;
        let names: Vec<&str> = stored.iter().map(|tensor| tensor.name).collect();
        let mut header = Header {
            step: self.step.to_string(),
            meta: serde_json::to_string(&self.meta)?,
            tensor_names: serde_json::to_string(&names)?,
            sha256: String::new(),
        };
        let views = stored
            .iter()
            .map(|tensor| {
                Ok((
                    tensor.name,
                    TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?,
                ))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        header.sha256 = header.digest(&views);
        Ok(safetensors::serialize(views, Some(header.into_map()))?)
    }
}

impl<M: DeserializeOwned> Checkpoint<M> {
    /// Reads and verifies the checkpoint at `path`.
    ///
    /// # Errors
    /// The reason why it is not accepted.
    pub(crate) fn load(path: &Path) -> Result<Self, Rejection> {
        Self::decode(&fs::read(path)?)
    }

    /// Verifies the bytes of a file and takes them apart.
    ///
    /// # Errors
    /// The reason why it is not accepted.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let (header, views) = verified(bytes)?;
        let step = header
            .step
            .parse()
            .map_err(|_| Rejection::Foreign(format!("step {:?}", header.step)))?;
        let meta = serde_json::from_str(&header.meta).map_err(Rejection::Meta)?;
        let tensors = views
            .into_iter()
            .map(|(name, view)| Ok((name, to_tensor(&view)?)))
            .collect::<Result<Vec<_>, Rejection>>()?;
        Ok(Self {
            step,
            meta,
            tensors,
        })
    }
}

/// Whether the file at `path` is a whole and unchanged checkpoint, of whatever run.
///
/// # Errors
/// The reason why it is not.
pub(crate) fn verify(path: &Path) -> Result<(), Rejection> {
    verified(&fs::read(path)?).map(|_| ())
}

/// SHA-256 over the bytes of `tensors` in their order (little-endian, row-major, names left out), in hexadecimal.
///
/// # Errors
/// See [`EncodeError`].
pub(crate) fn weights_sha256(tensors: &[(String, Tensor)]) -> Result<String, EncodeError> {
    let mut hash = Sha256::new();
    for tensor in stored_tensors(tensors)? {
        hash.update(&tensor.bytes);
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// A tensor's contents on the CPU.
struct StoredTensor<'a> {
    name: &'a str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn stored_tensors(tensors: &[(String, Tensor)]) -> Result<Vec<StoredTensor<'_>>, EncodeError> {
    let mut seen = HashSet::new();
    for (name, _) in tensors {
        if name == "__metadata__" {
            return Err(EncodeError::ReservedName(name.clone()));
        }
        if !seen.insert(name) {
            return Err(EncodeError::DuplicateName(name.clone()));
        }
    }
    tensors
        .iter()
        .map(|(name, tensor)| StoredTensor::of(name, tensor))
        .collect()
}

impl<'a> StoredTensor<'a> {
    fn of(name: &'a str, tensor: &Tensor) -> Result<Self, EncodeError> {
        let kind = tensor.f_kind()?;
        let dtype = match kind {
            Kind::Float => Dtype::F32,
            Kind::Double => Dtype::F64,
            Kind::Int64 => Dtype::I64,
            Kind::Uint8 => Dtype::U8,
            _ => {
                return Err(EncodeError::Kind {
                    name: name.to_owned(),
                    kind,
                });
            }
        };
        let tensor = tensor
            .f_detach()?
            .f_to_device(Device::Cpu)?
            .f_contiguous()?;
        let shape = tensor
            .size()
            .iter()
            .map(|&size| usize::try_from(size).expect("libtorch has no negative sizes"))
            .collect::<Vec<_>>();
        let n_elements = shape.iter().product::<usize>();
        let mut bytes = vec![0; n_elements * dtype.bitsize() / 8];
        tensor.f_copy_data_u8(&mut bytes, n_elements)?;
        Ok(Self {
            name,
            dtype,
            shape,
            bytes,
        })
    }
}

fn to_tensor(view: &TensorView<'_>) -> Result<Tensor, Rejection> {
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::I64 => Kind::Int64,
        Dtype::U8 => Kind::Uint8,
        dtype => {
            return Err(Rejection::Foreign(format!(
                "it holds a tensor of type {dtype:?}"
            )));
        }
    };
    let shape = view
        .shape()
        .iter()
        .map(|&size| {
            i64::try_from(size).map_err(|_| Rejection::Foreign(format!("a tensor of size {size}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Tensor::f_from_data_size(view.data(), &shape, kind).map_err(Rejection::Torch)
}

/// What stands in `__metadata__` beside the format.
struct Header {
    step: String,
    meta: String,
    tensor_names: String,
    sha256: String,
}

impl Header {
    fn into_map(self) -> HashMap<String, String> {
        HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("step".to_owned(), self.step),
            ("meta".to_owned(), self.meta),
            ("tensor_names".to_owned(), self.tensor_names),
            ("sha256".to_owned(), self.sha256),
        ])
    }

    fn from_map(map: &HashMap<String, String>) -> Result<Self, Rejection> {
        let get = |key: &str| {
            map.get(key)
                .cloned()
                .ok_or_else(|| Rejection::Foreign(format!("{key:?} is not in its __metadata__")))
        };
        let format = get("format")?;
        if format != FORMAT {
            return Err(Rejection::Foreign(format!(
                "its format is {format:?}, expected {FORMAT:?}"
            )));
        }
        // A sixth entry would be outside the checksum.
        if map.len() != 5 {
            return Err(Rejection::Foreign(format!(
                "its __metadata__ has {} entries, expected 5",
                map.len()
            )));
        }
        Ok(Self {
            step: get("step")?,
            meta: get("meta")?,
            tensor_names: get("tensor_names")?,
            sha256: get("sha256")?,
        })
    }

    /// SHA-256 over everything but itself. Each piece is preceded by its length, so that no two contents meet.
    fn digest<S: AsRef<str>>(&self, tensors: &[(S, TensorView<'_>)]) -> String {
        let mut hash = Sha256::new();
        let mut add = |piece: &[u8]| {
            hash.update((piece.len() as u64).to_le_bytes());
            hash.update(piece);
        };
        for text in [FORMAT, &self.step, &self.meta, &self.tensor_names] {
            add(text.as_bytes());
        }
        for (name, tensor) in tensors {
            add(name.as_ref().as_bytes());
            add(format!("{:?} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
            add(tensor.data());
        }
        hexadecimal(&hash.finalize())
    }
}

/// Header and tensors, the latter in our order, once the checksum is found right.
fn verified(bytes: &[u8]) -> Result<(Header, Vec<(String, TensorView<'_>)>), Rejection> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| rejection(error, bytes.len()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| rejection(error, bytes.len()))?;
    let Some(map) = metadata.metadata() else {
        return Err(Rejection::Foreign("it has no __metadata__".to_owned()));
    };
    let header = Header::from_map(map)?;
    let names: Vec<String> = serde_json::from_str(&header.tensor_names).map_err(|error| {
        Rejection::Foreign(format!("its tensor_names are no list of names: {error}"))
    })?;
    if names.len() != file.len() {
        return Err(Rejection::Foreign(format!(
            "it names {} tensors and holds {}",
            names.len(),
            file.len()
        )));
    }
    let mut views = Vec::with_capacity(names.len());
    for name in names {
        let view = file
            .tensor(&name)
            .map_err(|_| Rejection::Foreign(format!("tensor {name:?} is missing")))?;
        views.push((name, view));
    }
    let computed = header.digest(&views);
    if computed != header.sha256 {
        return Err(Rejection::Checksum {
            written: header.sha256,
            computed,
        });
    }
    Ok((header, views))
}

fn rejection(error: SafeTensorError, n_bytes: usize) -> Rejection {
    match error {
        SafeTensorError::HeaderTooSmall
        | SafeTensorError::InvalidHeaderLength
        | SafeTensorError::MetadataIncompleteBuffer => Rejection::Truncated { n_bytes },
        error => Rejection::NotSafetensors(error),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests;
