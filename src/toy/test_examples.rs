//! A few examples of the test part, the same ones whenever they are drawn, and what the network makes of each.

use anyhow::Result;
use rlrun_toys::not_so_clevr::{Location, N_PIXELS};
use rlrun_toys::pictures::{Picture, pixel_images, pixel_sums};
use rlrun_toys::task::Task;
use rlrun_toys::training::Training;
use tch::{Kind, Tensor};

/// The picture's file name and its tag in TensorBoard.
pub(crate) const NAME: &str = "test_examples";
/// How many are shown.
const N_SHOWN: usize = 4;
/// Maps in a row: two examples, each beside its prediction.
const COLUMNS: usize = 4;

/// Targets beside predictions: for classification a pixel and a softmax map, each as bright as its greatest value allows; for
/// rendering two pictures on one scale. None for regression, whose coordinates are all in one picture.
///
/// # Errors
/// If the picture cannot be drawn.
pub(crate) fn test_examples(training: &Training) -> Result<Option<Picture>> {
    let task = training.plan().task;
    if task == Task::Regression {
        return Ok(None);
    }
    let mut panels = Vec::with_capacity(2 * N_SHOWN);
    for location in shown(&training.parts().test) {
        let predicted = prediction(training, location)?;
        let caption = caption(training, location, &predicted);
        let Location { x, y } = location;
        panels.push((format!("x {x}, y {y}"), target(task, location)));
        panels.push((caption, predicted));
    }
    let panels: Vec<(String, &[f32])> = panels
        .iter()
        .map(|(caption, values)| (caption.clone(), &values[..]))
        .collect();
    let plan = training.plan();
    let title = format!(
        "Test examples beside what {} makes of them, {} split",
        plan.net, plan.split
    );
    Ok(Some(match task {
        Task::Rendering => pixel_images(&title, &panels, COLUMNS)?,
        _ => pixel_sums(&title, &panels, COLUMNS)?,
    }))
}

/// Examples at equal distances in the order of the data set.
fn shown(examples: &[Location]) -> impl Iterator<Item = Location> {
    (0..N_SHOWN).map(|idx| examples[(2 * idx + 1) * examples.len() / (2 * N_SHOWN)])
}

fn target(task: Task, location: Location) -> Vec<f32> {
    if task == Task::Rendering {
        return location.image();
    }
    let mut one_hot = vec![0.0; N_PIXELS];
    one_hot[location.pixel()] = 1.0;
    one_hot
}

/// # Shapes
/// `[4096]`, row by row: probabilities.
fn prediction(training: &Training, location: Location) -> Result<Vec<f32>> {
    let logits = training.predict(&[location]); // [1, 4096]
    let map = match training.plan().task {
        Task::Rendering => logits.sigmoid(),
        _ => logits.softmax(1, Kind::Float),
    };
    Ok(Vec::try_from(Tensor::flatten(&map, 0, -1))?)
}

fn caption(training: &Training, location: Location, predicted: &[f32]) -> String {
    if training.plan().task == Task::Rendering {
        return format!("painted, {:.3} IOU", training.evaluate(&[location]));
    }
    let percent = 100.0 * predicted[location.pixel()];
    format!("softmax, {percent:.1}% on the pixel")
}
