//! The coordinate channels of `CoordConv` (Liu et al. 2018, section 3).
//!
//! `xx` grows along the columns, `yy` along the rows, both from exactly -1 to exactly 1; the radius is the distance from
//! the image's centre, `sqrt(xx^2 + yy^2)`, not scaled, so the corners have sqrt 2.
//!
//! Deviations from the released code: each axis is scaled by its own size (the code swaps the two, which shows only in
//! non-square images), and an axis of size 1 is 0 (the code divides by zero). The radius of the paper's first listing,
//! centred at 0.5, is not reproduced.

use tch::{Device, Kind, Tensor};

/// The coordinate channels of an `h` x `w` image: `xx`, `yy` and, if asked for, the radius.
///
/// # Shapes
/// `[1, 2, h, w]`, with the radius `[1, 3, h, w]`.
pub fn coord_channels(h: i64, w: i64, radius: bool, options: (Kind, Device)) -> Tensor {
    let xx = axis(w).view([1, 1, 1, w]).expand([1, 1, h, w], false);
    let yy = axis(h).view([1, 1, h, 1]).expand([1, 1, h, w], false);
    let mut channels = vec![xx, yy];
    if radius {
        channels.push((channels[0].square() + channels[1].square()).sqrt());
    }
    Tensor::cat(&channels, 1)
        .to_kind(options.0)
        .to_device(options.1)
}

/// `n` points from -1 to 1, ends included; 0 if there is only one. In f64, so that `2i/(n-1) - 1` ends at exactly 1.
fn axis(n: i64) -> Tensor {
    let options = (Kind::Double, Device::Cpu);
    if n == 1 {
        return Tensor::zeros([1], options);
    }
    Tensor::arange(n, options) * 2.0 / (n - 1) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Channel `channel_idx` of the coordinates, row by row.
    fn channel(h: i64, w: i64, radius: bool, channel_idx: i64) -> Vec<f32> {
        let coords = coord_channels(h, w, radius, (Kind::Float, Device::Cpu));
        Vec::try_from(coords.select(1, channel_idx).flatten(0, -1)).unwrap()
    }

    #[test]
    fn square_3x3_as_in_the_paper() {
        assert_eq!(
            channel(3, 3, false, 0),
            [-1., 0., 1., -1., 0., 1., -1., 0., 1.]
        );
        assert_eq!(
            channel(3, 3, false, 1),
            [-1., -1., -1., 0., 0., 0., 1., 1., 1.]
        );
        let r = 2.0_f32.sqrt();
        assert_eq!(channel(3, 3, true, 2), [r, 1., r, 1., 0., 1., r, 1., r]);
    }

    #[test]
    fn each_axis_is_scaled_by_its_own_size() {
        assert_eq!(channel(2, 3, false, 0), [-1., 0., 1., -1., 0., 1.]);
        assert_eq!(channel(2, 3, false, 1), [-1., -1., -1., 1., 1., 1.]);
        assert_eq!(channel(3, 2, false, 0), [-1., 1., -1., 1., -1., 1.]);
        assert_eq!(channel(3, 2, false, 1), [-1., -1., 0., 0., 1., 1.]);
    }

    #[test]
    fn an_axis_of_size_one_is_zero() {
        assert_eq!(channel(1, 3, true, 1), [0.0; 3]);
        assert_eq!(channel(1, 3, true, 2), [1., 0., 1.]);
        assert_eq!(channel(3, 1, false, 0), [0.0; 3]);
        assert_eq!(channel(1, 1, true, 2), [0.0]);
    }

    #[test]
    fn the_ends_are_exact_at_any_size() {
        for n in 2..200 {
            let xs = channel(1, n, false, 0);
            assert_eq!((xs[0], xs[xs.len() - 1]), (-1.0, 1.0), "n = {n}");
        }
    }

    #[test]
    fn channels_are_counted_with_and_without_the_radius() {
        let options = (Kind::Float, Device::Cpu);
        assert_eq!(coord_channels(5, 7, false, options).size(), [1, 2, 5, 7]);
        assert_eq!(coord_channels(5, 7, true, options).size(), [1, 3, 5, 7]);
    }
}
