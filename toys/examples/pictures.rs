//! Draws every figure from made-up data into a folder, to be looked at:
//! `cargo run --release -p rlrun-toys --example pictures -- FOLDER`.

use std::path::{Path, PathBuf};

use rlrun_toys::not_so_clevr::{Location, N_PIXELS, Split};
use rlrun_toys::pictures::{
    CoordinatesPanel, Curve, CurvesSpec, Picture, RunPoint, ScatterSpec, XAxis, generalisation,
    learning_curves, pixel_sums, predicted_coordinates,
};
use rlrun_toys::task::NetKind;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("expected the folder to write to")?;
    std::fs::create_dir_all(&folder)?;
    let figures = [
        ("pixel_sums", sums()?),
        ("softmax_maps", softmax_maps()?),
        ("generalisation", scatter()?),
        ("curves_log", curves(XAxis::Log)?),
        ("curves_linear", curves(XAxis::Linear)?),
        ("coordinates", coordinates()?),
        (
            "empty",
            generalisation(&ScatterSpec {
                title: "Nothing yet",
                metric: "IOU",
                runs: &[],
            })?,
        ),
    ];
    for (name, picture) in figures {
        write(&folder, name, &picture)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, picture: &Picture) -> Outcome<()> {
    std::fs::write(folder.join(name).with_extension("svg"), &picture.svg)?;
    std::fs::write(folder.join(name).with_extension("png"), &picture.png)?;
    Ok(())
}

/// Numbers from 0 to 1 that look drawn at random and are the same every time.
fn noise(idx: u32) -> f64 {
    ((f64::from(idx) * 78.233).sin() * 43_758.547).rem_euclid(1.0)
}

fn sum_of_images(locations: &[Location]) -> Vec<f32> {
    let mut sum = vec![0.0; N_PIXELS];
    for location in locations {
        for (total, pixel) in sum.iter_mut().zip(location.image()) {
            *total += pixel;
        }
    }
    sum
}

fn sums() -> Outcome<Picture> {
    let (uniform, quadrant) = (Split::Uniform.parts(), Split::Quadrant.parts());
    let maps = [
        &uniform.train,
        &uniform.test,
        &quadrant.train,
        &quadrant.test,
    ]
    .map(|part| sum_of_images(part));
    let captions = [
        "uniform, train",
        "uniform, test",
        "quadrant, train",
        "quadrant, test",
    ];
    let panels: Vec<(String, &[f32])> = captions
        .iter()
        .zip(&maps)
        .map(|(caption, map)| ((*caption).to_owned(), map.as_slice()))
        .collect();
    Ok(pixel_sums("Sum of all images of Not-so-Clevr", &panels, 4)?)
}

fn softmax_maps() -> Outcome<Picture> {
    let parts = Split::Quadrant.parts();
    let truth = [&parts.train, &parts.test].map(|part| {
        let mut map = vec![0.0; N_PIXELS];
        for location in part {
            map[location.pixel()] = 1.0;
        }
        map
    });
    let mut network = truth.clone();
    for (idx, value) in (0..).zip(&mut network[0]) {
        *value *= if noise(idx) > 0.5 { 1.0 } else { 0.6 };
    }
    network[1] = vec![0.0; N_PIXELS];
    network[1][33 * 64 + 32] = 0.9;
    network[1][32 * 64 + 40] = 1.0;
    let panels = [
        ("truth, train".to_owned(), truth[0].as_slice()),
        ("truth, test".to_owned(), truth[1].as_slice()),
        ("convolution, train".to_owned(), network[0].as_slice()),
        ("convolution, test".to_owned(), network[1].as_slice()),
    ];
    Ok(pixel_sums(
        "Summed probability over the quadrant split",
        &panels,
        2,
    )?)
}

fn scatter() -> Outcome<Picture> {
    let runs: Vec<RunPoint> = (0..240)
        .map(|idx| {
            let net = if idx % 6 == 0 {
                NetKind::CoordConv
            } else {
                NetKind::Conv
            };
            let split = if idx % 4 < 2 {
                Split::Uniform
            } else {
                Split::Quadrant
            };
            let train = 1.0 - 0.7 * noise(idx).powi(2);
            let test = match (net, split) {
                (NetKind::Conv, Split::Uniform) => train * (0.3 + 0.55 * noise(idx + 999)),
                (NetKind::Conv, Split::Quadrant) => 0.02 * noise(idx + 999),
                (NetKind::CoordConv, _) => 1.0,
            };
            let train = if net == NetKind::CoordConv {
                1.0
            } else {
                train
            };
            RunPoint {
                net,
                split,
                train,
                test,
            }
        })
        .collect();
    Ok(generalisation(&ScatterSpec {
        title: "Coordinate classification: a convolution does not generalise",
        metric: "accuracy",
        runs: &runs,
    })?)
}

fn curves(x_axis: XAxis) -> Outcome<Picture> {
    let curves: Vec<Curve> = (0..18)
        .map(|run| {
            let net = if run < 6 {
                NetKind::CoordConv
            } else {
                NetKind::Conv
            };
            let (speed, last) = match net {
                NetKind::CoordConv => (3.0 + 5.0 * noise(run), 175.0),
                NetKind::Conv => (600.0 + 900.0 * noise(run), 6000.0 + 3000.0 * noise(run + 7)),
            };
            let height = if net == NetKind::Conv {
                0.8 + 0.08 * noise(run + 50)
            } else {
                1.0
            };
            let points = (1..=120)
                .map(|idx| {
                    let seconds = last * f64::from(idx) / 120.0;
                    let wobble = 0.04 * noise(run * 120 + idx);
                    (seconds, height * (1.0 - (-seconds / speed).exp()) - wobble)
                })
                .collect();
            Curve { net, points }
        })
        .collect();
    Ok(learning_curves(&CurvesSpec {
        title: "Coordinate classification, uniform split: time to learn",
        metric: "accuracy",
        x_axis,
        curves: &curves,
    })?)
}

fn coordinates() -> Outcome<Picture> {
    let parts = Split::Quadrant.parts();
    let truth = [&parts.train, &parts.test].map(|part| {
        let centres = part.iter().map(|l| (f64::from(l.x), f64::from(l.y)));
        centres.collect::<Vec<(f64, f64)>>()
    });
    let bent = |points: &[(f64, f64)], pull: f64| -> Vec<(f64, f64)> {
        (0..)
            .zip(points)
            .map(|(idx, &(x, y))| {
                let wobble = noise(idx) - 0.5;
                (
                    x + pull * (30.0 - y).abs() * 0.1 + wobble,
                    y - pull * (x - 20.0) * 0.2 + wobble,
                )
            })
            .collect()
    };
    let (train, test) = (bent(&truth[0], 0.6), bent(&truth[1], -3.0));
    let panel = |caption, net, predicted, truth| CoordinatesPanel {
        caption,
        net,
        predicted,
        truth,
    };
    let panels = [
        panel("convolution, train", NetKind::Conv, &train, &truth[0]),
        panel("convolution, test", NetKind::Conv, &test, &truth[1]),
        panel("CoordConv, train", NetKind::CoordConv, &truth[0], &truth[0]),
        panel("CoordConv, test", NetKind::CoordConv, &truth[1], &truth[1]),
    ];
    Ok(predicted_coordinates(
        "Predicted coordinates, quadrant split",
        &panels,
    )?)
}
