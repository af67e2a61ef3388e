//! Where the numbers of a convolution lie.

use super::transform::{N_POINTS, POINTS, Patch, apart};
use crate::ConvSpec;

/// Where the numbers of a convolution lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    /// Columns of the image that goes in.
    pub(super) in_width: usize,
    /// Its channels, coordinates not counted.
    pub(super) in_channels: usize,
    /// Rows and columns of the kernel.
    pub(super) kernel: usize,
    /// Pixels between two positions of the kernel.
    pub(super) stride: usize,
    /// Rows and columns of the image that comes out.
    pub(super) out_size: [usize; 2],
    /// Its channels.
    pub(super) out_channels: usize,
    /// Taps of the kernel on blocks, down and across.
    pub(super) taps: usize,
    /// Outputs of a tile, down and across.
    pub(super) tile: usize,
}

/// A convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    pub(super) geometry: Geometry,
    /// What its input is multiplied by.
    pub(super) scale: f32,
}

impl Geometry {
    /// That of the rows whose outputs are so many numbers.
    pub(super) fn strip(&self, out_len: usize) -> Self {
        let [_, width] = self.out_size;
        Self {
            out_size: [out_len / (width * self.out_channels), width],
            ..*self
        }
    }

    /// Taps of the kernel on blocks, channels of a block, channels that come out.
    pub(super) fn shape(&self) -> [usize; 3] {
        [self.taps, self.block_channels(), self.out_channels]
    }

    pub(super) fn block_channels(&self) -> usize {
        self.stride * self.stride * self.in_channels
    }

    /// Numbers of the image that comes out.
    pub(super) fn out_len(&self) -> usize {
        self.out_size[0] * self.out_size[1] * self.out_channels
    }

    /// Weights of one output channel, coordinates not counted.
    pub(super) fn window_len(&self) -> usize {
        self.kernel * self.kernel * self.in_channels
    }

    /// Room for the weights at the points.
    pub(super) fn n_weights_at_points(&self) -> usize {
        N_POINTS * apart(self.block_channels() * self.out_channels)
    }

    pub(super) fn n_tiles(&self) -> usize {
        let [down, across] = self.out_size.map(|size| size.div_ceil(self.tile));
        down * across
    }

    /// Row and column of the first output of each tile.
    pub(super) fn tiles(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let (tile, [height, width]) = (self.tile, self.out_size);
        let rows = (0..height).step_by(tile);
        rows.flat_map(move |row| (0..width).step_by(tile).map(move |column| [row, column]))
    }

    /// Row of a block's pixels, and place among the numbers of that row.
    #[inline]
    pub(super) fn within_block(&self, channel: usize) -> (usize, usize) {
        let row_len = self.stride * self.in_channels;
        (channel / row_len, channel % row_len)
    }

    /// What the tile at `at` sees of blocks' channels from `channel` on. Beyond the image there are none, and outputs that would need them
    /// are not used.
    #[inline]
    pub(super) fn blocks(&self, at: [usize; 2], channel: usize) -> Patch {
        let in_row = self.in_width * self.in_channels;
        let (row, place) = self.within_block(channel);
        let strides = [self.stride * in_row, self.stride * self.in_channels];
        let n_blocks = self.out_size.map(|size| size + self.taps - 1);
        Patch {
            start: at[0] * strides[0] + at[1] * strides[1] + row * in_row + place,
            strides,
            size: [n_blocks[0] - at[0], n_blocks[1] - at[1]],
        }
    }

    /// The outputs of the tile at `at`.
    #[inline]
    pub(super) fn outputs(&self, at: [usize; 2], channel: usize) -> Patch {
        let strides = [self.out_size[1] * self.out_channels, self.out_channels];
        Patch {
            start: at[0] * strides[0] + at[1] * strides[1] + channel,
            strides,
            size: [0, 1].map(|axis| self.tile.min(self.out_size[axis] - at[axis])),
        }
    }

    /// The taps for a block's channel, in weights `[k*k*in, out]`.
    pub(super) fn taps_of(&self, block_channel: usize, out: usize) -> Patch {
        let (row, place) = self.within_block(block_channel);
        let in_row = self.kernel * self.in_channels;
        let strides = [self.stride * in_row, self.stride * self.in_channels];
        Patch {
            start: (row * in_row + place) * self.out_channels + out,
            strides: strides.map(|stride| stride * self.out_channels),
            size: [self.taps; 2],
        }
    }

    /// The taps for a block's channels from `block_channel` on, in weights `[k*k, out, in]`.
    pub(super) fn turned_taps_of(&self, block_channel: usize, out: usize) -> Patch {
        let (row, place) = self.within_block(block_channel);
        let (column, channel) = (place / self.in_channels, place % self.in_channels);
        let of_place = self.out_channels * self.in_channels;
        Patch {
            start: (row * self.kernel + column) * of_place + out * self.in_channels + channel,
            strides: [self.stride * self.kernel * of_place, self.stride * of_place],
            size: [self.taps; 2],
        }
    }
}

impl Layer {
    /// Of images `width` pixels wide.
    pub(super) fn new(spec: &ConvSpec, width: i64, out_size: [i64; 2]) -> Self {
        assert_eq!(spec.padding, 0, "the kernels know none");
        let taps = count(spec.kernel / spec.stride);
        let geometry = Geometry {
            in_width: count(width),
            in_channels: count(spec.in_channels),
            kernel: count(spec.kernel),
            stride: count(spec.stride),
            out_size: out_size.map(count),
            out_channels: count(spec.out_channels),
            taps,
            tile: POINTS + 1 - taps,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "weights are f32, and so is what they are scaled by"
        )]
        let scale = spec.input_scale as f32;
        Self { geometry, scale }
    }
}

pub(super) fn count(size: i64) -> usize {
    usize::try_from(size).expect("sizes are not negative")
}
