use std::fs;

use rlrun_toys::not_so_clevr::Split;
use rlrun_toys::task::{NetKind, Task};
use tensorboard_proto::event::Event;

use super::super::settings::Overrides;
use super::*;
use crate::run::event_records::Records;

/// A training of one short epoch.
fn plan(task: Task) -> ToyPlan {
    let overrides = Overrides {
        epochs: Some(1),
        minibatch: Some(1000),
        ..Overrides::default()
    };
    overrides
        .plan(task, Split::Uniform, NetKind::Conv, 1)
        .unwrap()
}

fn conduct() -> Conduct {
    Conduct {
        threads: 1,
        verbosity: Verbosity::Quiet,
        stop_early: None,
        stop: StopFlag::default(),
    }
}

/// All events of a run, in order.
fn events(dir: &Path) -> Vec<Event> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.to_string_lossy().contains("tfevents"))
        .collect();
    files.sort();
    let contents = files.iter().map(|path| fs::read(path).unwrap());
    contents
        .flat_map(|bytes| Records::new(&bytes).map(|(_, e)| e).collect::<Vec<_>>())
        .collect()
}

/// The steps and PNGs of an image.
fn images(dir: &Path, tag: &str) -> Vec<(i64, Vec<u8>)> {
    let mut images = Vec::new();
    for event in events(dir) {
        for value in event.get_summary().get_value() {
            if value.get_tag() == tag && value.has_image() {
                let png = value.get_image().get_encoded_image_string();
                images.push((event.get_step(), png.to_vec()));
            }
        }
    }
    images
}

/// The steps and values of a curve.
fn curve(dir: &Path, tag: &str) -> Vec<(i64, f32)> {
    let mut points = Vec::new();
    for event in events(dir) {
        let values = event.get_summary().get_value().iter();
        points.extend(
            values
                .filter(|value| value.get_tag() == tag)
                .map(|value| (event.get_step(), value.get_simple_value())),
        );
    }
    points
}

#[test]
fn single_predictions_are_in_tensorboard_before_and_after_training_and_in_the_folder() {
    for task in [Task::Classification, Task::Rendering] {
        let root = tempfile::tempdir().unwrap();
        let plan = plan(task);
        let folder = create_folder(&plan, root.path(), Some("run")).unwrap();
        let dir = folder.path().to_owned();
        let summary = train(folder, &plan, &conduct()).unwrap().unwrap();
        let updates = i64::try_from(summary.updates).unwrap();
        let shown = images(&dir, "test_examples");
        let steps: Vec<i64> = shown.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [0, updates], "{task}");
        assert!(shown.iter().all(|(_, png)| png.starts_with(b"\x89PNG")));
        assert_ne!(shown[0].1, shown[1].1, "the training changed them");
        let drawn = fs::read(dir.join("pictures/test_examples.png")).unwrap();
        assert_eq!(drawn, shown[1].1);
        let svg = fs::read_to_string(dir.join("pictures/test_examples.svg")).unwrap();
        let test = Split::Uniform.parts().test;
        for example in [96, 288, 480, 672].map(|idx| test[idx]) {
            let caption = format!(">\nx {}, y {}\n<", example.x, example.y);
            assert!(svg.contains(&caption), "{caption}: always the same ones");
        }
    }
}

#[test]
fn the_curves_begin_before_the_first_update() {
    let root = tempfile::tempdir().unwrap();
    let plan = plan(Task::Regression);
    let folder = create_folder(&plan, root.path(), Some("run")).unwrap();
    let dir = folder.path().to_owned();
    let training = Training::new(&plan).unwrap();
    let before = training.evaluate(&training.parts().test);
    train(folder, &plan, &conduct()).unwrap().unwrap();
    let epochs = fs::read_to_string(dir.join("epochs.csv")).unwrap();
    let rows: Vec<&str> = epochs.lines().collect();
    assert_eq!(rows.len(), 3, "{epochs}");
    assert!(rows[1].starts_with("0,0,0.000,0.01,"), "{epochs}");
    assert!(rows[1].ends_with(&format!(",{before:.6}")), "{epochs}");
    let points = curve(&dir, "test/distance_px");
    let steps: Vec<i64> = points.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [0, 3]);
    assert!((f64::from(points[0].1) - before).abs() < 1e-3);
    assert!(images(&dir, "test_examples").is_empty());
    assert_eq!(images(&dir, "predictions").len(), 1);
}

#[test]
fn a_training_that_went_to_infinity_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let mut plan = plan(Task::Regression);
    plan.settings.learning_rate = 1e30;
    let folder = create_folder(&plan, root.path(), Some("run")).unwrap();
    let dir = folder.path().to_owned();
    let summary = train(folder, &plan, &conduct()).unwrap().unwrap();
    assert!(!summary.test_metric.is_finite());
    let read = summary_of(&dir, &plan).expect("the summary is read again");
    assert_eq!(read.weights_sha256, summary.weights_sha256);
    fs::remove_file(dir.join("summary.json")).unwrap();
    let (folder, plan) = open_folder(&dir).unwrap();
    let again = train(folder, &plan, &conduct()).unwrap().unwrap();
    assert_eq!(again.weights_sha256, summary.weights_sha256);
    assert_eq!(images(&dir, "test_examples").len(), 0);
}

#[test]
fn a_training_that_is_stopped_at_once_goes_on_with_single_valued_curves() {
    let root = tempfile::tempdir().unwrap();
    let plan = plan(Task::Classification);
    let folder = create_folder(&plan, root.path(), Some("run")).unwrap();
    let dir = folder.path().to_owned();
    let stopped = conduct();
    stopped.stop.request();
    assert!(train(folder, &plan, &stopped).unwrap().is_none());
    let (folder, plan) = open_folder(&dir).unwrap();
    train(folder, &plan, &conduct()).unwrap().unwrap();
    let steps = |points: Vec<(i64, f32)>| points.iter().map(|p| p.0).collect::<Vec<_>>();
    assert_eq!(steps(curve(&dir, "test/accuracy")), [0, 3]);
    let shown = images(&dir, "test_examples");
    assert_eq!(
        shown.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [0, 3]
    );
}
