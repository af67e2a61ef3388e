//! What one observation is, and how the bytes of a batch become a tensor: the only place where they do.

use std::fmt;

use tch::{Device, Tensor};

use crate::transfer::to_device;

/// Bytes of a feature.
const FEATURE_BYTES: usize = size_of::<f32>();

/// The shape of one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObsShape {
    /// Pictures: channels (stacked frames), height, width; a byte each.
    Frames([i64; 3]),
    /// So many numbers; an f32 in little-endian bytes each.
    Features(i64),
}

impl ObsShape {
    /// Bytes of one observation.
    ///
    /// # Panics
    /// If a size is negative: no network is built for such.
    pub fn n_bytes(self) -> usize {
        let (n, bytes) = match self {
            Self::Frames(sizes) => (sizes.iter().product(), 1),
            Self::Features(n) => (n, FEATURE_BYTES),
        };
        usize::try_from(n).expect("sizes are not negative") * bytes
    }

    /// The observations of a batch, one after the other in `bytes`.
    ///
    /// # Shapes
    /// `[B, C, H, W]` u8, or `[B, n]` f32.
    ///
    /// # Panics
    /// If the bytes are not a whole number of observations.
    pub fn tensor(self, bytes: &[u8], device: Device) -> Tensor {
        match self {
            Self::Frames([c, h, w]) => to_device(bytes, device).view([-1, c, h, w]),
            Self::Features(n) => {
                let (features, rest) = bytes.as_chunks::<FEATURE_BYTES>();
                assert!(rest.is_empty(), "{} bytes of features", bytes.len());
                let features: Vec<f32> = features.iter().copied().map(f32::from_le_bytes).collect();
                to_device(&features, device).view([-1, n])
            }
        }
    }
}

impl fmt::Display for ObsShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames([c, h, w]) => write!(f, "{c} frames of {h}x{w} pixels"),
            Self::Features(n) => write!(f, "{n} numbers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn bytes_become_pictures_of_bytes_or_rows_of_floats() {
        let bytes: Vec<u8> = (0..24).collect();
        let frames = ObsShape::Frames([2, 2, 3]).tensor(&bytes, Device::Cpu);
        assert_eq!(
            (frames.size(), frames.kind()),
            (vec![2, 2, 2, 3], Kind::Uint8)
        );
        assert_eq!(frames.int64_value(&[1, 0, 1, 2]), 17);

        let features = [0.5_f32, -2.0, 1e-9, f32::MAX, 0.0, 3.25];
        let bytes: Vec<u8> = features.iter().flat_map(|x| x.to_le_bytes()).collect();
        let rows = ObsShape::Features(3).tensor(&bytes, Device::Cpu);
        assert_eq!(rows, Tensor::from_slice(&features).view([2, 3]));
    }

    #[test]
    #[should_panic(expected = "7 bytes of features")]
    fn a_part_of_a_feature_is_refused() {
        let _ = ObsShape::Features(1).tensor(&[0; 7], Device::Cpu);
    }
}
