//! The way of numbers to the device that computes with them.
//!
//! To a GPU it leads through page-locked memory: from there it fetches them on its own, while the processor goes on.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};

use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::pool::share_out;
use crate::slices::with_memory;

/// Bytes that a thread copies at a time.
const PIECE: usize = 1 << 17;

/// A copy of `values` on `device`. For a GPU the processor first copies them into page-locked memory, of which libtorch keeps what it
/// once had.
///
/// # Shapes
/// Gives \[n\].
pub fn to_device<T: Element>(values: &[T], device: Device) -> Tensor {
    if !matches!(device, Device::Cuda(_)) {
        return Tensor::from_slice(values).to_device(device);
    }
    // `pin_memory` with a device, which tch asks for, warns at every call that the device is no longer to be named.
    let locked = borrowed(values).internal_pin_memory(device);
    sent(&locked, device)
}

/// Bytes for a device. If that is a GPU, they lie in page-locked memory and need no copy on the way.
#[derive(Debug)]
pub struct SendBuffer {
    memory: Memory,
}

enum Memory {
    Pageable(Vec<u8>),
    Locked(Locked),
}

/// Page-locked memory, which its tensor owns and nothing else looks at.
struct Locked {
    tensor: Tensor,
}

#[expect(unsafe_code, reason = "shared for reading by the threads of an update")]
// SAFETY: a shared `Locked` only gives out its address and its length, neither of which changes.
unsafe impl Sync for Locked {}

impl SendBuffer {
    /// `n` zeros that will go to `device`.
    pub fn new(n: usize, device: Device) -> Self {
        if !matches!(device, Device::Cuda(_)) {
            return vec![0; n].into();
        }
        let tensor = borrowed(&vec![0_u8; n]).internal_pin_memory(device);
        Self {
            memory: Memory::Locked(Locked { tensor }),
        }
    }

    /// A copy of the bytes in `range` on `device`. A GPU may still be reading them after the return: they must stay as they are until it
    /// has been waited for, for instance by looking at what it made of them.
    ///
    /// # Shapes
    /// Gives u8 \[n\].
    ///
    /// # Panics
    /// If the range is not within the buffer.
    pub fn to_device(&self, range: Range<usize>, device: Device) -> Tensor {
        match &self.memory {
            Memory::Pageable(bytes) if device == Device::Cpu => copied(&bytes[range]),
            Memory::Pageable(bytes) => to_device(&bytes[range], device),
            Memory::Locked(_) => sent(&borrowed(&self[range]), device),
        }
    }
}

impl From<Vec<u8>> for SendBuffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            memory: Memory::Pageable(bytes),
        }
    }
}

impl Deref for SendBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Memory::Pageable(bytes) => bytes,
            Memory::Locked(Locked { tensor }) => {
                #[expect(unsafe_code, reason = "tch gives out no slices")]
                // SAFETY: a contiguous u8 tensor on the CPU that lives as long as this borrow, and no other handle of it.
                unsafe {
                    std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel())
                }
            }
        }
    }
}

impl DerefMut for SendBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Pageable(bytes) => bytes,
            Memory::Locked(Locked { tensor }) => {
                #[expect(unsafe_code, reason = "tch gives out no slices")]
                // SAFETY: as above, and borrowed mutably.
                unsafe {
                    std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel())
                }
            }
        }
    }
}

/// In memory of the usual kind.
impl Clone for SendBuffer {
    fn clone(&self) -> Self {
        self.to_vec().into()
    }
}

impl PartialEq for SendBuffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pageable(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Locked(locked) => write!(f, "{} page-locked bytes", locked.tensor.numel()),
        }
    }
}

/// A tensor in the memory of `values`: to be gone before they are.
fn borrowed<T: Element>(values: &[T]) -> Tensor {
    let len = i64::try_from(values.len()).expect("a slice has fewer than 2^63 elements");
    #[expect(
        unsafe_code,
        reason = "a tensor that borrows spares a copy, and tch cannot know for how long"
    )]
    // SAFETY: the functions here copy from it while `values` is borrowed, and drop it before they return.
    unsafe {
        Tensor::from_blob(values.as_ptr().cast(), &[len], &[], T::KIND, Device::Cpu)
    }
}

/// A copy of bytes, piece by piece, on the threads of the rayon pool it is called in.
fn copied(bytes: &[u8]) -> Tensor {
    let n = i64::try_from(bytes.len()).expect("a slice has fewer than 2^63 elements");
    let copy = Tensor::empty([n], (Kind::Uint8, Device::Cpu));
    if n > 0 {
        with_memory([&copy], [], |[copy], []: [&[u8]; 0]| {
            let pieces = copy.chunks_mut(PIECE).zip(bytes.chunks(PIECE));
            share_out(pieces.collect(), |(copy, bytes): (&mut [u8], &[u8])| {
                copy.copy_from_slice(bytes);
            });
        });
    }
    copy
}

/// A copy of page-locked memory on a GPU, which is on its way when this returns.
fn sent(locked: &Tensor, device: Device) -> Tensor {
    let (is_asynchronous, is_always_copy) = (true, false);
    locked.to_device_(device, locked.kind(), is_asynchronous, is_always_copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::in_a_pool;

    #[test]
    fn bytes_are_copied_piece_by_piece_in_a_pool_or_not() {
        let bytes: Vec<u8> = (0..=250).cycle().take(2 * PIECE + 7).collect();
        let buffer = SendBuffer::from(bytes);
        for n_threads in [None, Some(2)] {
            let sent = in_a_pool(n_threads, || buffer.to_device(3..buffer.len(), Device::Cpu));
            assert_eq!(Vec::<u8>::try_from(&sent).unwrap(), buffer[3..]);
        }
        assert_eq!(buffer.to_device(5..5, Device::Cpu).numel(), 0);
    }

    #[test]
    fn a_buffer_is_bytes_that_can_be_written_sent_and_compared() {
        let mut buffer = SendBuffer::new(4, Device::Cpu);
        buffer[1..3].copy_from_slice(&[7, 9]);
        assert_eq!(buffer, SendBuffer::from(vec![0, 7, 9, 0]));
        assert_eq!(buffer.clone(), buffer);
        let sent = buffer.to_device(1..4, Device::Cpu);
        assert_eq!(sent.kind(), Kind::Uint8);
        assert_eq!(Vec::<u8>::try_from(&sent).unwrap(), [7, 9, 0]);
        assert_eq!(
            Vec::<f32>::try_from(to_device(&[0.5_f32], Device::Cpu)).unwrap(),
            [0.5]
        );
    }
}
