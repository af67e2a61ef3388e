//! A picture in memory: red, green and blue, a byte each, row after row.

/// Red, green and blue.
pub(crate) type Rgb = [u8; 3];

/// A picture.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RgbImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl RgbImage {
    /// A picture of one colour.
    pub(crate) fn new(width: usize, height: usize, colour: Rgb) -> Self {
        Self {
            width,
            height,
            pixels: colour.repeat(width * height),
        }
    }

    /// The picture whose bytes are `[height, width, 3]`.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub(crate) fn from_rgb(width: usize, height: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), width * height * 3, "bytes of {width}x{height}");
        Self {
            width,
            height,
            pixels: bytes.to_vec(),
        }
    }

    /// The grey picture whose bytes are `[height, width]`.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub(crate) fn from_grey(width: usize, height: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), width * height, "bytes of {width}x{height}");
        Self {
            width,
            height,
            pixels: bytes.iter().flat_map(|&grey| [grey; 3]).collect(),
        }
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// All bytes, `[height, width, 3]`.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixel in this column and row.
    ///
    /// # Panics
    /// If it lies outside.
    pub(crate) fn pixel(&self, x: usize, y: usize) -> Rgb {
        let start = self.start(x, y);
        [0, 1, 2].map(|channel| self.pixels[start + channel])
    }

    /// Sets a pixel; what lies outside is not drawn.
    pub(crate) fn set(&mut self, x: usize, y: usize, colour: Rgb) {
        if x < self.width && y < self.height {
            let start = self.start(x, y);
            self.pixels[start..start + 3].copy_from_slice(&colour);
        }
    }

    /// Moves a pixel towards a colour: not at all with an `opacity` of 0, wholly with 1.
    pub(crate) fn mix(&mut self, x: usize, y: usize, colour: Rgb, opacity: f32) {
        if x >= self.width || y >= self.height {
            return;
        }
        let behind = self.pixel(x, y);
        let mixed = [0, 1, 2].map(|channel| {
            let (from, to) = (f32::from(behind[channel]), f32::from(colour[channel]));
            byte(from + (to - from) * opacity)
        });
        self.set(x, y, mixed);
    }

    /// Fills a rectangle from its upper left corner; what lies outside is not drawn.
    pub(crate) fn fill(&mut self, at: (usize, usize), size: (usize, usize), colour: Rgb) {
        for y in at.1..(at.1 + size.1).min(self.height) {
            for x in at.0..(at.0 + size.0).min(self.width) {
                self.set(x, y, colour);
            }
        }
    }

    /// Draws another picture from its upper left corner; what lies outside is not drawn.
    pub(crate) fn draw(&mut self, at: (usize, usize), other: &Self) {
        let n = other.width.min(self.width.saturating_sub(at.0)) * 3;
        for y in 0..other.height.min(self.height.saturating_sub(at.1)) {
            let (to, from) = (self.start(at.0, at.1 + y), other.start(0, y));
            self.pixels[to..to + n].copy_from_slice(&other.pixels[from..from + n]);
        }
    }

    /// The same with squares of `scale` by `scale` in place of pixels.
    pub(crate) fn enlarged(&self, scale: usize) -> Self {
        let mut pixels = Vec::with_capacity(self.pixels.len() * scale * scale);
        for row in self.pixels.chunks_exact(self.width * 3) {
            let start = pixels.len();
            for pixel in row.chunks_exact(3) {
                for _ in 0..scale {
                    pixels.extend_from_slice(pixel);
                }
            }
            let end = pixels.len();
            for _ in 1..scale {
                pixels.extend_from_within(start..end);
            }
        }
        Self {
            width: self.width * scale,
            height: self.height * scale,
            pixels,
        }
    }

    /// The same in another size: each pixel is the mean of those it covers.
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let covered = |idx: usize, from: usize, to: usize| {
            let start = idx * from / to;
            start..((idx + 1) * from / to).max(start + 1)
        };
        let mut pixels = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let rows = covered(y, self.height, height);
            for x in 0..width {
                let columns = covered(x, self.width, width);
                let mut sums = [0; 3];
                for row in rows.clone() {
                    let bytes =
                        self.start(columns.start, row)..self.start(columns.end - 1, row) + 3;
                    for pixel in self.pixels[bytes].chunks_exact(3) {
                        for (sum, &level) in sums.iter_mut().zip(pixel) {
                            *sum += usize::from(level);
                        }
                    }
                }
                let n = rows.len() * columns.len();
                let mean = |sum: usize| u8::try_from((sum + n / 2) / n).expect("a mean of bytes");
                pixels.extend(sums.map(mean));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    fn start(&self, x: usize, y: usize) -> usize {
        (y * self.width + x) * 3
    }
}

impl std::fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage({}x{})", self.width, self.height)
    }
}

/// The nearest byte.
pub(crate) fn byte(value: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what a byte holds"
    )]
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb = [255, 0, 0];

    #[test]
    fn pixels_become_squares() {
        let image = RgbImage::from_rgb(2, 1, &[1, 2, 3, 4, 5, 6]);
        let large = image.enlarged(2);
        let row = [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6];
        assert_eq!(large.bytes(), row.repeat(2));
        assert_eq!((large.width(), large.height()), (4, 2));
        assert_eq!(image.enlarged(1), image);
    }

    #[test]
    fn what_lies_outside_is_not_drawn() {
        let mut image = RgbImage::new(3, 3, [0; 3]);
        image.fill((2, 1), (9, 1), RED);
        image.set(3, 0, RED);
        image.draw((1, 2), &RgbImage::new(5, 5, [7; 3]));
        image.draw((9, 9), &RgbImage::new(5, 5, [8; 3]));
        let mut expected = vec![0; 27];
        expected[15..18].copy_from_slice(&RED);
        expected[21..27].fill(7);
        assert_eq!(image.bytes(), expected);
    }

    #[test]
    fn a_smaller_picture_has_the_means_and_a_larger_one_the_pixels() {
        let image = RgbImage::from_grey(4, 2, &[0, 10, 20, 30, 4, 14, 24, 34]);
        assert_eq!(image.resized(2, 1), RgbImage::from_grey(2, 1, &[7, 27]));
        assert_eq!(image.resized(1, 1).pixel(0, 0), [17; 3]);
        assert_eq!(image.resized(8, 4), image.enlarged(2));
        let thirds = RgbImage::from_grey(5, 1, &[0, 50, 100, 150, 200]);
        assert_eq!(
            thirds.resized(3, 1),
            RgbImage::from_grey(3, 1, &[0, 75, 175])
        );
    }

    #[test]
    fn an_opacity_is_the_part_of_the_way_to_the_colour() {
        let mut image = RgbImage::new(1, 1, [100, 0, 50]);
        image.mix(0, 0, [200, 0, 0], 0.5);
        assert_eq!(image.pixel(0, 0), [150, 0, 25]);
    }
}
