//! Copies numpy arrays into our buffers, with one `memcpy` each.
//!
//! Every `recv` of ALE returns freshly allocated arrays, C-contiguous and owned by a capsule. Nothing of them is kept.

use std::ffi::CStr;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::prelude::*;

/// One element of a numpy array of dtype `bool`, which PyO3 does not know: a byte that is 0 or 1.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub(super) struct NumpyBool(u8);

impl NumpyBool {
    pub(super) fn get(self) -> bool {
        self.0 != 0
    }
}

// SAFETY: `?` is the buffer protocol's format of a one-byte boolean, and every bit pattern is a valid u8.
#[expect(unsafe_code, reason = "PyO3 0.30 has no buffer element for booleans")]
unsafe impl Element for NumpyBool {
    fn is_compatible_format(format: &CStr) -> bool {
        format == c"?"
    }
}

/// Copies the whole array.
///
/// # Errors
/// The array has another element type or another number of elements than `out`.
pub(super) fn copy<T: Element>(array: &Bound<'_, PyAny>, out: &mut [T]) -> PyResult<()> {
    PyBuffer::<T>::get(array)?.copy_to_slice(array.py(), out)
}
