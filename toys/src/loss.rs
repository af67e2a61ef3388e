//! What the three tasks minimise, and what they are judged by (Liu et al. 2018, section 4 and 5; the released code's
//! `make_*_loss`).
//!
//! Outputs are `[B, 4096]`, a logit per pixel, or for regression `[B, 2]`, the location in 64ths of the canvas.

use tch::{Kind, Reduction, Tensor};

use crate::not_so_clevr::{Location, SIZE};
use crate::task::{RenderLoss, Task};

/// What outputs should have been.
#[derive(Debug)]
pub enum Target {
    /// The pixel, i64 `[B]`.
    Pixel(Tensor),
    /// The location in 64ths of the canvas, `[B, 2]`.
    Location(Tensor),
    /// The picture, `[B, 4096]`, and how it is compared.
    Image(Tensor, RenderLoss),
}

impl Target {
    /// The target of a batch. `render_loss` is for rendering, which has two.
    pub fn of(task: Task, render_loss: Option<RenderLoss>, batch: &[Location]) -> Self {
        match task {
            Task::Classification => Self::Pixel(pixels_of(batch)),
            Task::Regression => {
                let numbers = batch.iter().flat_map(|location| [location.x, location.y]);
                let numbers: Vec<f32> = numbers.map(|pixel| f32::from(pixel) / 64.0).collect();
                Self::Location(Tensor::from_slice(&numbers).view([-1, 2]))
            }
            Task::Rendering => {
                let pixels: Vec<f32> = batch.iter().flat_map(|l| l.image()).collect();
                let images = Tensor::from_slice(&pixels).view([-1, SIZE * SIZE]);
                Self::Image(images, render_loss.unwrap_or(RenderLoss::Sigmoid))
            }
        }
    }

    /// The mean loss of a batch, without regularisation.
    pub fn loss(&self, outputs: &Tensor) -> Tensor {
        match self {
            Self::Pixel(pixels) => outputs.cross_entropy_for_logits(pixels),
            Self::Location(locations) => outputs.mse_loss(locations, Reduction::Mean),
            Self::Image(images, RenderLoss::Sigmoid) => outputs
                .binary_cross_entropy_with_logits::<Tensor>(images, None, None, Reduction::Mean),
            Self::Image(images, RenderLoss::Mse) => {
                outputs.sigmoid().mse_loss(images, Reduction::Mean)
            }
        }
    }

    /// The metric of each example: 1 for the right pixel, else 0; the distance in pixels; or the intersection over union.
    ///
    /// # Shapes
    /// `[B]`
    pub fn metric(&self, outputs: &Tensor) -> Tensor {
        match self {
            Self::Pixel(pixels) => outputs
                .argmax(1, false)
                .eq_tensor(pixels)
                .to_kind(Kind::Double),
            Self::Location(locations) => {
                let off = (outputs - locations).to_kind(Kind::Double) * 64.0;
                off.square().sum_dim_intlist(1, false, Kind::Double).sqrt()
            }
            Self::Image(images, _) => {
                let painted = outputs.gt(0.0); // a sigmoid that rounds to 1
                let wanted = images.gt(0.5);
                let count = |pixels: Tensor| pixels.sum_dim_intlist(1, false, Kind::Double);
                let union = count(painted.logical_or(&wanted));
                count(painted.logical_and(&wanted)) / union // the square is never empty
            }
        }
    }
}

/// The pictures that regression reads: one white pixel each.
///
/// # Shapes
/// `[B, 1, 64, 64]`
pub fn one_hot_images(batch: &[Location]) -> Tensor {
    let images = pixels_of(batch).one_hot(SIZE * SIZE);
    images.to_kind(Kind::Float).view([-1, 1, SIZE, SIZE])
}

/// The pixels that locations stand for, counted row by row.
///
/// # Shapes
/// i64 `[B]`
fn pixels_of(batch: &[Location]) -> Tensor {
    let pixels = batch
        .iter()
        .map(|location| i64::from(location.y) * SIZE + i64::from(location.x));
    Tensor::from_slice(&pixels.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const BATCH: [Location; 2] = [Location { x: 10, y: 20 }, Location { x: 59, y: 4 }];
    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn metrics(task: Task, outputs: &Tensor) -> Vec<f64> {
        Vec::try_from(Target::of(task, None, &BATCH).metric(outputs)).unwrap()
    }

    #[test]
    fn a_classification_is_right_or_wrong() {
        let logits = one_hot_images(&BATCH).flatten(1, -1);
        assert_eq!(metrics(Task::Classification, &logits), [1.0, 1.0]);
        assert_eq!(metrics(Task::Classification, &logits.flip([0])), [0.0, 0.0]);
        let flat = Target::of(Task::Classification, None, &BATCH).loss(&(logits * 0.0));
        assert!((flat.double_value(&[]) - 4096_f64.ln()).abs() < 1e-5);
    }

    #[test]
    fn a_regression_is_so_many_pixels_off() {
        let three_right_four_down = [13.0_f32 / 64.0, 24.0 / 64.0, 59.0 / 64.0, 4.0 / 64.0];
        let outputs = Tensor::from_slice(&three_right_four_down).view([2, 2]);
        let distances = metrics(Task::Regression, &outputs);
        assert!((distances[0] - 5.0).abs() < 1e-5 && distances[1] < 1e-5);
        let loss = Target::of(Task::Regression, None, &BATCH).loss(&outputs);
        assert!(
            (loss.double_value(&[]) - 25.0 / 4096.0 / 4.0).abs() < 1e-7,
            "mean over both numbers"
        );
    }

    #[test]
    fn a_rendering_is_judged_by_intersection_over_union() {
        let images =
            Tensor::from_slice(&[BATCH[0].image(), BATCH[1].image()].concat()).view([2, 4096]);
        let logits = &images * 10.0 - 5.0;
        assert_eq!(metrics(Task::Rendering, &logits), [1.0, 1.0]);
        assert_eq!(
            metrics(Task::Rendering, &Tensor::full([2, 4096], -1.0, CPU)),
            [0.0, 0.0]
        );
        let everywhere = metrics(Task::Rendering, &Tensor::ones([2, 4096], CPU));
        assert!((everywhere[0] - 81.0 / 4096.0).abs() < 1e-9);
        let shifted = metrics(Task::Rendering, &logits.roll([1], [1]));
        assert!(
            (shifted[0] - 72.0 / 90.0).abs() < 1e-9,
            "one column to the right"
        );
    }
}
