//! What the network's answers depend on: each place of its input is blurred in turn, and what changes is measured.
//!
//! Source: Greydanus et al. 2018, "Visualizing and Understanding Atari Agents" (arXiv 1711.00138), equations 1 to 3:
//!
//! ```text
//! Phi(I, i, j) = I (1 - M(i, j)) + A(I, 3) M(i, j)      A blurs with a Gaussian of 3 pixels, M is one of 5 pixels around (i, j)
//! S_pi(i, j)   = 1/2 || pi(I) - pi(Phi(I, i, j)) ||^2   pi are the logits, or the values of the actions where there are none
//! S_V(i, j)    = 1/2 || V(I) - V(Phi(I, i, j)) ||^2
//! ```
//!
//! (i, j) is every fifth pixel, and between them S is interpolated. As in the paper the policy's is blue and the value's red. Deviations:
//! the paper's network sees one picture and has a memory, ours sees four, which are all blurred in the same place; what is strongest
//! is always shaded alike, where the paper has a factor to be found for each game.

use crate::player::{Look, Player};
use crate::video::RgbImage;

/// Pixels between two places.
const STRIDE: usize = 5;
/// Standard deviation of what blurs, pixels.
const BLUR: f32 = 3.0;
/// Standard deviation of what is blurred, pixels.
const SPOT: f32 = 5.0;
/// Standard deviations after which a Gaussian is taken for nothing.
const REACH: f32 = 3.0;
/// Opacity of the strongest shade.
const OPACITY: f32 = 0.75;
/// By which the strongest of the past counts less with each step.
const FORGETTING: f32 = 0.98;

const POLICY: [u8; 3] = [60, 110, 255];
const VALUE: [u8; 3] = [255, 60, 40];

/// Measures and shades.
pub(super) struct Saliency {
    /// Number, height and width of the input's pictures.
    shape: [usize; 3],
    strongest: [f32; 2],
}

/// A number for each place, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Map {
    n_columns: usize,
    scores: Vec<f32>,
}

impl Saliency {
    /// Of networks that see so many pictures of this height and width.
    pub(super) fn new(shape: [usize; 3]) -> Self {
        Self {
            shape,
            strongest: [0.0; 2],
        }
    }

    /// Shades the picture of a game, of whatever size, whose agent sees `obs`.
    pub(super) fn shade(&mut self, picture: &mut RgbImage, player: &Player, obs: &[u8]) {
        let maps = self.maps(obs, |all| player.look_at(all));
        let [_, height, width] = self.shape;
        for (idx, colour) in [(0, POLICY), (1, VALUE)] {
            let Some(map) = &maps[idx] else { continue };
            let most = map.scores.iter().copied().fold(0.0, f32::max);
            self.strongest[idx] = most.max(self.strongest[idx] * FORGETTING);
            let scale = OPACITY / self.strongest[idx].max(f32::MIN_POSITIVE);
            for y in 0..picture.height() {
                for x in 0..picture.width() {
                    let at = |n: usize, of: usize, size: usize| {
                        (real(n) + 0.5) * real(size) / real(of) - 0.5
                    };
                    let row = at(y, picture.height(), height);
                    let column = at(x, picture.width(), width);
                    picture.mix(x, y, colour, map.at(row, column) * scale);
                }
            }
        }
    }

    /// The maps of the policy and of the value, if the network gives one.
    fn maps(&self, obs: &[u8], look_at: impl Fn(&[u8]) -> Vec<Look>) -> [Option<Map>; 2] {
        let looks = look_at(&self.perturbed(obs));
        let (plain, perturbed) = looks.split_first().expect("the first is the input itself");
        let half_square = |a: f32, b: f32| 0.5 * (a - b) * (a - b);
        let policy = |look: &Look| -> f32 {
            let pairs = look.outputs.iter().zip(&plain.outputs);
            pairs.map(|(&a, &b)| half_square(a, b)).sum()
        };
        let value = |look: &Look| Some(half_square(look.value?, plain.value?));
        let map = |scores| Map {
            n_columns: self.shape[2].div_ceil(STRIDE),
            scores,
        };
        let of_policy: Vec<f32> = perturbed.iter().map(policy).collect();
        let of_value: Option<Vec<f32>> = perturbed.iter().map(value).collect();
        [Some(map(of_policy)), of_value.map(map)]
    }

    /// The input, and after it the same blurred in each place.
    fn perturbed(&self, obs: &[u8]) -> Vec<u8> {
        let [n, height, width] = self.shape;
        let blurred: Vec<f32> = obs
            .chunks_exact(height * width)
            .flat_map(|picture| blur(picture, height, width))
            .collect();
        let mut all = obs.to_vec();
        for i in (0..height).step_by(STRIDE) {
            for j in (0..width).step_by(STRIDE) {
                let start = all.len();
                all.extend_from_slice(obs);
                let copy = &mut all[start..];
                for (y, x, mask) in spot((i, j), height, width) {
                    for picture in 0..n {
                        let at = (picture * height + y) * width + x;
                        let plain = f32::from(obs[at]);
                        copy[at] = crate::video::byte(plain + (blurred[at] - plain) * mask);
                    }
                }
            }
        }
        all
    }
}

impl Map {
    /// Between the places, in pixels of the input; beyond them as at the nearest.
    fn at(&self, row: f32, column: f32) -> f32 {
        let n_rows = self.scores.len() / self.n_columns;
        let (i, i_part) = place(row, n_rows);
        let (j, j_part) = place(column, self.n_columns);
        let score = |i: usize, j: usize| {
            let (i, j) = (i.min(n_rows - 1), j.min(self.n_columns - 1));
            self.scores[i * self.n_columns + j]
        };
        let along = |i: usize| score(i, j) + (score(i, j + 1) - score(i, j)) * j_part;
        along(i) + (along(i + 1) - along(i)) * i_part
    }
}

/// The place before a pixel and how far it is to the next, as a part.
fn place(pixel: f32, n_places: usize) -> (usize, f32) {
    let place = (pixel / real(STRIDE)).clamp(0.0, real(n_places - 1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and below the number of places"
    )]
    let before = place as usize;
    (before, place.fract())
}

/// Pixels around a place, row and column, with the part of M there; M is 1 in the place itself.
fn spot(
    (i, j): (usize, usize),
    height: usize,
    width: usize,
) -> impl Iterator<Item = (usize, usize, f32)> {
    let reach = pixels(SPOT * REACH);
    let near =
        move |place: usize, n: usize| place.saturating_sub(reach)..(place + reach + 1).min(n);
    near(i, height).flat_map(move |y| {
        near(j, width).map(move |x| {
            let (dy, dx) = (real(y.abs_diff(i)), real(x.abs_diff(j)));
            (y, x, (-(dy * dy + dx * dx) / (2.0 * SPOT * SPOT)).exp())
        })
    })
}

/// A picture blurred along its columns and along its rows; beyond an edge it is mirrored.
fn blur(picture: &[u8], height: usize, width: usize) -> Vec<f32> {
    let reach = pixels(BLUR * REACH);
    let weight = |d: usize| (-real(d * d) / (2.0 * BLUR * BLUR)).exp();
    let weights: Vec<f32> = (0..=2 * reach)
        .map(|idx| weight(idx.abs_diff(reach)))
        .collect();
    let total: f32 = weights.iter().sum();
    let along = |n: usize, at: usize, pixel: &dyn Fn(usize) -> f32| -> f32 {
        let taps = weights.iter().enumerate();
        let sum: f32 = taps
            .map(|(idx, weight)| weight * pixel(mirrored(at + idx, reach, n)))
            .sum();
        sum / total
    };
    let places = || (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let across: Vec<f32> = places()
        .map(|(y, x)| along(width, x, &|x| f32::from(picture[y * width + x])))
        .collect();
    places()
        .map(|(y, x)| along(height, y, &|y| across[y * width + x]))
        .collect()
}

/// `at - reach` of `n` pixels, mirrored at both edges, the pixel at the edge twice.
fn mirrored(at: usize, reach: usize, n: usize) -> usize {
    let period = 2 * n;
    let place = (at + period * reach.div_ceil(period) - reach) % period;
    place.min(period - 1 - place)
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred pixels")]
fn real(n: usize) -> f32 {
    n as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few pixels"
)]
fn pixels(length: f32) -> usize {
    length.ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [2, 40, 45];

    /// Black with a white square of 4 pixels a side.
    fn input(top: usize, left: usize) -> Vec<u8> {
        let [n, height, width] = SHAPE;
        let mut obs = vec![0; n * height * width];
        for picture in 0..n {
            for y in top..top + 4 {
                obs[(picture * height + y) * width + left..][..4].fill(255);
            }
        }
        obs
    }

    /// A network with two outputs: the sum of all pixels of the first picture in the upper left quarter, and in the others; its
    /// value is the second.
    fn look_at(all: &[u8]) -> Vec<Look> {
        let [n, height, width] = SHAPE;
        all.chunks_exact(n * height * width)
            .map(|obs| {
                let mut sums = [0.0; 2];
                for y in 0..height {
                    for x in 0..width {
                        let quarter = usize::from(y >= height / 2 || x >= width / 2);
                        let pixel = f32::from(obs[y * width + x]);
                        sums[quarter] += pixel * pixel / 1e4;
                    }
                }
                Look {
                    outputs: sums.to_vec(),
                    value: Some(sums[1]),
                }
            })
            .collect()
    }

    fn greatest(map: &Map) -> (usize, usize) {
        let most = (0..map.scores.len()).max_by(|&a, &b| map.scores[a].total_cmp(&map.scores[b]));
        let most = most.unwrap();
        (most / map.n_columns, most % map.n_columns)
    }

    #[test]
    fn the_place_that_matters_is_found() {
        let saliency = Saliency::new(SHAPE);
        for (top, left, expected) in [(8, 8, (2, 2)), (28, 33, (6, 7))] {
            let [policy, value] = saliency.maps(&input(top, left), look_at);
            let (policy, value) = (policy.unwrap(), value.unwrap());
            assert_eq!(policy.scores.len(), 8 * 9);
            assert_eq!(greatest(&policy), expected);
            let moves_value = value.scores.iter().any(|&score| score > 1e-3);
            assert_eq!(moves_value, left == 33, "the value sees the other quarters");
        }
    }

    #[test]
    fn an_even_input_has_nothing_that_matters() {
        let saliency = Saliency::new(SHAPE);
        let even = vec![90; SHAPE.iter().product()];
        let [policy, _] = saliency.maps(&even, look_at);
        assert!(policy.unwrap().scores.iter().all(|&score| score < 1e-9));
    }

    #[test]
    fn a_blur_keeps_the_sum_and_is_widest_where_a_gaussian_is() {
        let mut picture = vec![0; 41 * 41];
        picture[20 * 41 + 20] = 255;
        let blurred = blur(&picture, 41, 41);
        assert!((blurred.iter().sum::<f32>() - 255.0).abs() < 0.1);
        // e^(-9/18) of the middle at a distance of one standard deviation.
        let part = blurred[20 * 41 + 23] / blurred[20 * 41 + 20];
        assert!((part - (-0.5_f32).exp()).abs() < 1e-3, "{part}");
        let edge = blur(&[100; 25], 5, 5);
        assert!(edge.iter().all(|level| (level - 100.0).abs() < 1e-3));
    }

    #[test]
    fn a_mirror_shows_the_pixels_from_the_edge_on() {
        let seen: Vec<usize> = (0..11).map(|at| mirrored(at, 4, 3)).collect();
        assert_eq!(seen, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
    }

    #[test]
    fn between_places_a_map_is_straight_and_beyond_them_flat() {
        let map = Map {
            n_columns: 2,
            scores: vec![0.0, 1.0, 2.0, 3.0],
        };
        for (row, column, expected) in [
            (0.0, 0.0, 0.0),
            (0.0, 2.5, 0.5),
            (2.5, 0.0, 1.0),
            (5.0, 5.0, 3.0),
            (-1.0, 9.0, 1.0),
            (9.0, -1.0, 2.0),
        ] {
            assert!(
                (map.at(row, column) - expected).abs() < 1e-6,
                "{row}, {column}"
            );
        }
    }
}
