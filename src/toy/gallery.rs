//! The pictures of one training: what was learned from and tested on (Fig 2), and what the network makes of it (Fig 5 and the
//! like), of all examples together and of single ones.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rlrun_toys::not_so_clevr::{CANVAS, Location, N_PIXELS};
use rlrun_toys::pictures::{CoordinatesPanel, Picture, pixel_sums, predicted_coordinates};
use rlrun_toys::task::Task;
use rlrun_toys::training::Training;
use tch::{Kind, Tensor};

use super::test_examples::{self, test_examples};
use crate::run::atomic::{remove_stale_temporaries, write_whole};
use crate::run::scalars::Scalars;

/// Examples that are predicted together.
const BATCH: usize = 128;

/// Draws all pictures of a training into `pictures/` of its run folder, and into TensorBoard.
///
/// # Errors
/// When one cannot be written.
pub(crate) fn hang(training: &Training, dir: &Path, scalars: &mut Scalars) -> Result<()> {
    let pictures = folder_of_pictures(dir)?;
    let step = training.progress().updates;
    for (name, picture) in [
        ("examples", examples(training)?),
        ("predictions", predictions(training)?),
    ] {
        scalars.add_png(name, &picture.png, step);
        write_picture(&pictures.join(name), &picture)?;
    }
    // TensorBoard has these already: they were saved with the checkpoint.
    if let Some(picture) = test_examples(training)? {
        write_picture(&pictures.join(test_examples::NAME), &picture)?;
    }
    Ok(())
}

/// The folder `pictures` in `dir`, without what a kill left of one. The caller holds the lock on `dir`.
///
/// # Errors
/// When it cannot be made or read.
pub(crate) fn folder_of_pictures(dir: &Path) -> Result<PathBuf> {
    let pictures = dir.join("pictures");
    fs::create_dir_all(&pictures)
        .and_then(|()| remove_stale_temporaries(&pictures))
        .with_context(|| format!("making {}", pictures.display()))?;
    Ok(pictures)
}

/// Writes `path.svg` and `path.png`.
///
/// # Errors
/// What the file system answered.
pub(crate) fn write_picture(path: &Path, picture: &Picture) -> Result<()> {
    for (extension, bytes) in [("svg", picture.svg.as_bytes()), ("png", &picture.png)] {
        let path = path.with_extension(extension);
        write_whole(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Fig 2: the pixelwise sums of the pictures of both parts.
fn examples(training: &Training) -> Result<Picture> {
    let parts = training.parts();
    let sum = |examples: &[Location]| {
        let mut sum = vec![0.0; N_PIXELS];
        for location in examples {
            match training.plan().task {
                Task::Rendering => {
                    for (sum, pixel) in sum.iter_mut().zip(location.image()) {
                        *sum += pixel;
                    }
                }
                _ => sum[location.pixel()] += 1.0,
            }
        }
        sum
    };
    let (train, test) = (sum(&parts.train), sum(&parts.test));
    let panels = [
        ("train".to_owned(), &train[..]),
        ("test".to_owned(), &test[..]),
    ];
    let title = format!("Sum of all examples, {} split", training.plan().split);
    Ok(pixel_sums(&title, &panels, 2)?)
}

fn predictions(training: &Training) -> Result<Picture> {
    let plan = training.plan();
    let title = format!("{} of {}, {} split", what(plan.task), plan.net, plan.split);
    match plan.task {
        Task::Regression => coordinates(training, &title),
        Task::Classification | Task::Rendering => {
            let parts = training.parts();
            let sum = |examples| predicted_sum(training, examples);
            let (train, test) = (sum(&parts.train)?, sum(&parts.test)?);
            let panels = [
                ("train".to_owned(), &train[..]),
                ("test".to_owned(), &test[..]),
            ];
            Ok(pixel_sums(&title, &panels, 2)?)
        }
    }
}

fn what(task: Task) -> &'static str {
    match task {
        Task::Classification => "Sum of the softmax maps",
        Task::Regression => "Predicted coordinates",
        Task::Rendering => "Sum of the predicted images",
    }
}

/// Fig 5, left: what the network predicts for all of a part's examples together.
fn predicted_sum(training: &Training, examples: &[Location]) -> Result<Vec<f32>> {
    let pixels = i64::try_from(N_PIXELS)?;
    let mut sum = Tensor::zeros([pixels], (Kind::Float, tch::Device::Cpu));
    for batch in examples.chunks(BATCH) {
        let logits = training.predict(batch); // [B, 4096]
        let maps = match training.plan().task {
            Task::Rendering => logits.sigmoid(),
            _ => logits.softmax(1, Kind::Float),
        };
        sum += maps.sum_dim_intlist(0, false, Kind::Float);
    }
    Ok(Vec::try_from(sum)?)
}

/// Fig 5, right: where the network sees each pixel.
fn coordinates(training: &Training, title: &str) -> Result<Picture> {
    let net = training.plan().net;
    let truth = |examples: &[Location]| -> Vec<(f64, f64)> {
        let points = examples.iter().map(|l| (f64::from(l.x), f64::from(l.y)));
        points.collect()
    };
    let seen = |examples: &[Location]| -> Result<Vec<(f64, f64)>> {
        let outputs =
            training.predict(examples).to_kind(Kind::Double) * f64::from(u8::try_from(CANVAS)?);
        let numbers = Vec::<f64>::try_from(outputs.flatten(0, -1))?;
        Ok(numbers.as_chunks().0.iter().map(|&[x, y]| (x, y)).collect())
    };
    let parts = training.parts();
    let (train, test) = (&parts.train, &parts.test);
    let (seen_train, seen_test) = (seen(train)?, seen(test)?);
    let (true_train, true_test) = (truth(train), truth(test));
    let panels = [
        CoordinatesPanel {
            caption: "train",
            net,
            predicted: &seen_train,
            truth: &true_train,
        },
        CoordinatesPanel {
            caption: "test",
            net,
            predicted: &seen_test,
            truth: &true_test,
        },
    ];
    Ok(predicted_coordinates(title, &panels)?)
}
