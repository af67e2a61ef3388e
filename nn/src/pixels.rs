//! Frames as the first convolution wants them: bytes to floats and, on the CPU, channels-first to channels-last, in one
//! pass.
//!
//! Measured on a Zen 5 core, for a batch of eight stacks of four 84x84 frames: libtorch's permuted copy and conversion
//! 105 us, the pass here 10 us, of about 1,250 us for the whole forward pass.

use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::conv::memory_order;
use crate::slices::with_slices;

/// How many frames the fast path interleaves: the stack of every Atari agent.
const N_STACKED: usize = 4;

/// The bytes as floats of `kind` in 0..=255, exactly, on the CPU in channels-last memory.
///
/// # Shapes
/// `u8 [B, C, H, W] -> [B, C, H, W]`
pub(crate) fn to_pixels(obs: &Tensor, kind: Kind) -> Tensor {
    let interleaved = match kind {
        Kind::Float => interleaved(obs, f32::from),
        Kind::BFloat16 => interleaved(obs, bf16_bits).map(|bits| bits.view_dtype(kind)),
        _ => None,
    };
    interleaved.unwrap_or_else(|| memory_order(obs, obs.device()).to_kind(kind))
}

/// The upper half of an f32, in which 8 significant bits are whole.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn bf16_bits(byte: u8) -> i16 {
    let [_, _, third, fourth] = f32::from(byte).to_le_bytes();
    i16::from_le_bytes([third, fourth])
}

/// The fast path: four channels-first frames of bytes on the CPU, each byte as `number` makes it.
fn interleaved<T: Element>(obs: &Tensor, number: impl Fn(u8) -> T) -> Option<Tensor> {
    let (n_images, n_channels, height, width) = obs.size4().ok()?;
    if usize::try_from(n_channels) != Ok(N_STACKED) || !obs.is_contiguous() {
        return None;
    }
    let flat = Tensor::empty(
        [n_images * n_channels * height * width],
        (T::KIND, Device::Cpu),
    );
    let n_pixels = usize::try_from(height * width).ok()?;
    with_slices([&flat], &obs.view([-1]), |[numbers], bytes: &[u8]| {
        interleave(bytes, numbers, n_pixels, number);
    })
    .then(|| {
        flat.view([n_images, height, width, n_channels])
            .permute([0, 3, 1, 2])
    })
}

/// `[B, C, H*W]` bytes to `[B, H*W, C]` numbers, C = 4.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
pub(crate) fn interleave<T>(
    bytes: &[u8],
    numbers: &mut [T],
    n_pixels: usize,
    number: impl Fn(u8) -> T,
) {
    let images = bytes.chunks_exact(N_STACKED * n_pixels);
    for (image, out) in images.zip(numbers.chunks_exact_mut(N_STACKED * n_pixels)) {
        let (a, rest) = image.split_at(n_pixels);
        let (b, rest) = rest.split_at(n_pixels);
        let (c, d) = rest.split_at(n_pixels);
        let (out, _) = out.as_chunks_mut::<N_STACKED>();
        for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *out = [*a, *b, *c, *d].map(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(shape: [i64; 4]) -> Tensor {
        let n: i64 = shape.iter().product();
        (Tensor::arange(n, (Kind::Int64, Device::Cpu)) * 7919)
            .remainder(256)
            .to_kind(Kind::Uint8)
            .view(shape)
    }

    #[test]
    fn floats_equal_the_bytes_and_lie_channels_last_on_either_path() {
        for (shape, fast) in [
            ([2, 4, 5, 7], true),
            ([1, 4, 1, 1], true),
            ([3, 2, 5, 7], false),
            ([2, 6, 3, 3], false),
        ] {
            let obs = frames(shape);
            assert_eq!(interleaved(&obs, f32::from).is_some(), fast, "{shape:?}");
            for kind in [Kind::Float, Kind::BFloat16] {
                let pixels = to_pixels(&obs, kind);
                assert_eq!(pixels.kind(), kind);
                assert_eq!(pixels.to_kind(Kind::Uint8), obs, "{shape:?} {kind:?}");
                assert!(pixels.permute([0, 2, 3, 1]).is_contiguous(), "{shape:?}");
            }
        }
    }

    #[test]
    fn frames_that_are_not_channels_first_are_read_where_they_lie() {
        let turned = frames([2, 5, 7, 4]).permute([0, 3, 1, 2]);
        let cut = frames([2, 4, 5, 9]).narrow(3, 1, 6);
        for obs in [turned, cut] {
            assert!(interleaved(&obs, f32::from).is_none());
            assert_eq!(to_pixels(&obs, Kind::Float), obs.to_kind(Kind::Float));
        }
    }

    #[test]
    fn no_frames_give_no_floats() {
        assert_eq!(
            to_pixels(&frames([0, 4, 5, 7]), Kind::Float).size(),
            [0, 4, 5, 7]
        );
    }
}
