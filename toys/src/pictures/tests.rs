//! The figures as a reader of the SVG or the PNG meets them.

use crate::not_so_clevr::{N_PIXELS, Split};

use self::reading::{UNITS, attribute, check, circles, decoded, texts};
use super::*;

mod reading;

fn scatter(runs: &[RunPoint]) -> Picture {
    let spec = ScatterSpec {
        title: "a <&> \"b\"\n",
        metric: "accuracy",
        runs,
    };
    generalisation(&spec).unwrap()
}

fn run(net: NetKind, split: Split, train: f64, test: f64) -> RunPoint {
    RunPoint {
        net,
        split,
        train,
        test,
    }
}

fn curves(x_axis: XAxis, curves: &[Curve]) -> Picture {
    let spec = CurvesSpec {
        title: "curves",
        metric: "IOU",
        x_axis,
        curves,
    };
    learning_curves(&spec).unwrap()
}

fn curve(points: &[(f64, f64)]) -> Curve {
    Curve {
        net: NetKind::Conv,
        points: points.to_vec(),
    }
}

fn panel<'a>(predicted: &'a [(f64, f64)], truth: &'a [(f64, f64)]) -> CoordinatesPanel<'a> {
    CoordinatesPanel {
        caption: "x < y",
        net: NetKind::CoordConv,
        predicted,
        truth,
    }
}

#[test]
fn a_run_is_a_marker_at_its_metrics_hollow_for_the_uniform_split() {
    let runs = [
        run(NetKind::Conv, Split::Uniform, 0.0, 0.0),
        run(NetKind::Conv, Split::Quadrant, 1.0, 0.5),
        run(NetKind::CoordConv, Split::Uniform, 1.0, 1.0),
    ];
    let picture = scatter(&runs);
    assert_eq!(check(&picture), (900, 516));
    let conv = circles(&picture.svg, NetKind::Conv);
    assert_eq!([conv[0].hollow, conv[1].hollow], [true, false]);
    // Fields of 360 pixels from (78, 100) and (522, 100), from -0.03 to 1.03.
    let place = |left: f64, x: f64, y: f64| {
        let part = |value: f64| (value + 0.03) / 1.06 * 360.0;
        (left + part(x), 100.0 + 360.0 - part(y))
    };
    let expected = [place(78.0, 0.0, 0.0), place(78.0, 1.0, 0.5)];
    let coord = circles(&picture.svg, NetKind::CoordConv);
    assert_eq!((conv.len(), coord.len()), (2, 1));
    let expected = [expected[0], expected[1], place(522.0, 1.0, 1.0)];
    for (circle, (x, y)) in conv.iter().chain(&coord).zip(expected) {
        let off = (circle.at.0 - x * UNITS).hypot(circle.at.1 - y * UNITS);
        assert!(off < 1.0, "{circle:?}, expected {x}, {y}");
    }
}

#[test]
fn a_title_is_escaped_and_stays_on_its_line() {
    let picture = scatter(&[]);
    assert!(texts(&picture.svg).contains(&"a &lt;&amp;&gt; &quot;b&quot;"));
}

#[test]
fn without_data_a_figure_says_no_runs() {
    for (picture, times) in [
        (scatter(&[]), 2),
        (curves(XAxis::Linear, &[]), 1),
        (curves(XAxis::Log, &[curve(&[])]), 1),
        (predicted_coordinates("", &[]).unwrap(), 1),
        (predicted_coordinates("", &[panel(&[], &[])]).unwrap(), 1),
        (pixel_sums("", &[], 3).unwrap(), 1),
    ] {
        check(&picture);
        let said = texts(&picture.svg)
            .iter()
            .filter(|t| **t == "no runs")
            .count();
        assert_eq!(said, times);
    }
}

#[test]
fn what_is_no_number_is_left_out() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let runs = bad.map(|bad| run(NetKind::Conv, Split::Uniform, bad, 0.5));
    let picture = scatter(&runs);
    check(&picture);
    assert!(circles(&picture.svg, NetKind::Conv).is_empty());
    let points = bad.map(|bad| (bad, bad));
    for x_axis in [XAxis::Linear, XAxis::Log] {
        check(&curves(x_axis, &[curve(&points), curve(&[(0.0, 0.5)])]));
    }
    let picture = predicted_coordinates("", &[panel(&points, &points)]).unwrap();
    check(&picture);
    assert!(circles(&picture.svg, NetKind::CoordConv).is_empty());
    let values = vec![f32::NAN; N_PIXELS];
    check(&pixel_sums("No numbers", &[(String::new(), &values)], 1).unwrap());
}

#[test]
fn huge_values_and_single_points_are_drawn() {
    for points in [
        &[(1e300, 0.5)][..],
        &[(1e-300, 0.1), (1e300, 1e300)],
        &[(f64::MAX, -f64::MAX)],
        &[(f64::MIN_POSITIVE, 0.5)],
        &[(0.0, 0.5)],
        &[(3.0, 0.5)],
        &[(3.0, 0.5), (3.0, 0.7)],
    ] {
        for x_axis in [XAxis::Linear, XAxis::Log] {
            check(&curves(x_axis, &[curve(points)]));
        }
        check(&predicted_coordinates("", &[panel(points, points)]).unwrap());
        check(&scatter(&[run(
            NetKind::Conv,
            Split::Quadrant,
            points[0].0,
            0.5,
        )]));
    }
}

#[test]
fn the_median_of_three_runs_is_drawn_over_their_band() {
    let levels = [0.2, 0.5, 1.0].map(|level| curve(&[(0.0, level), (10.0, level)]));
    let picture = curves(XAxis::Linear, &levels);
    check(&picture);
    let of = |name: &str| {
        let element = picture.svg.lines().find(|line| line.starts_with(name));
        let points = attribute(element.unwrap(), "points").split_whitespace();
        points
            .map(|point| point.split_once(',').unwrap().1.parse().unwrap())
            .collect::<Vec<f64>>()
    };
    // A field of 340 pixels from 78 down, from -0.02 to 1.02.
    let place = |level: f64| (78.0 + 340.0 - (level + 0.02) / 1.04 * 340.0) * UNITS;
    let median = of("<polyline");
    assert!(median.iter().all(|y| (y - place(0.5)).abs() < 1.0));
    let band = of("<polygon");
    let half = band.len() / 2;
    assert!(band[..half].iter().all(|y| (y - place(1.0)).abs() < 1.0));
    assert!(band[half..].iter().all(|y| (y - place(0.2)).abs() < 1.0));
    assert!(texts(&picture.svg).contains(&"Convolution, 3 runs"));
}

#[test]
fn on_a_log_axis_the_value_before_training_stands_left_of_the_first_measurement() {
    let picture = curves(XAxis::Log, &[curve(&[(0.0, 0.0), (2.0, 0.9), (8.0, 1.0)])]);
    check(&picture);
    let line = picture.svg.lines().find(|l| l.starts_with("<polyline"));
    let points = attribute(line.unwrap(), "points").split_whitespace();
    let points: Vec<(f64, f64)> = points
        .map(|point| point.split_once(',').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect();
    let lowest = points[0].1;
    let (left, right) = (points[0].0, points[points.len() - 1].0);
    let at_zero = points.iter().filter(|point| point.1 >= lowest);
    let last = at_zero.map(|point| point.0).fold(left, f64::max);
    // The axis reaches from 1 to 8 s, and 2 s is a third of it.
    let part = (last - left) / (right - left);
    assert!((part - 1.0 / 3.0).abs() < 0.01, "{part}");
}

#[test]
fn five_hundred_runs_are_drawn() {
    let part = |idx: u32| f64::from(idx) / 500.0;
    let runs: Vec<RunPoint> = (0..500)
        .map(|idx| run(NetKind::Conv, Split::Uniform, part(idx), part(idx) / 2.0))
        .collect();
    let picture = scatter(&runs);
    check(&picture);
    assert_eq!(circles(&picture.svg, NetKind::Conv).len(), 500);
    let all: Vec<Curve> = (0..500)
        .map(|idx| curve(&[(1.0, 0.0), (2.0 + part(idx), part(idx))]))
        .collect();
    check(&curves(XAxis::Log, &all));
}

#[test]
fn predictions_lie_at_their_pixels_with_y_downwards() {
    let picture = predicted_coordinates("", &[panel(&[(0.0, 0.0), (64.0, 32.0)], &[])]).unwrap();
    check(&picture);
    let dots = circles(&picture.svg, NetKind::CoordConv);
    // One field of 340 pixels, its corner at (302, 52).
    assert_eq!(dots[0].at, (302.0 * UNITS, 52.0 * UNITS));
    assert_eq!(dots[1].at, (642.0 * UNITS, 222.0 * UNITS));
    assert!(texts(&picture.svg).contains(&"x &lt; y"));
}

#[test]
fn the_axes_grow_with_predictions_outside_and_count_what_is_far_outside() {
    let predicted = [(-34.0, 10.0), (10.0, 500.0), (10.0, 128.0)];
    let picture = predicted_coordinates("", &[panel(&predicted, &[])]).unwrap();
    check(&picture);
    assert_eq!(circles(&picture.svg, NetKind::CoordConv).len(), 2);
    let texts = texts(&picture.svg);
    for expected in ["-32", "128", "1 outside the axes"] {
        assert!(texts.contains(&expected), "{texts:?}");
    }
}

#[test]
fn a_map_has_crisp_pixels_with_the_greatest_white() {
    let mut values = vec![0.0; N_PIXELS];
    values[2 * 64 + 3] = 5.0;
    let panels = [("one pixel".to_owned(), &values[..])];
    let picture = pixel_sums("", &panels, 4).unwrap();
    assert_eq!(check(&picture), (900, 48 + 384 + 44));
    // The map of 384 pixels begins at (258, 50); a pixel of the canvas is 6 wide.
    let white =
        "<rect x=\"828\" y=\"186\" width=\"18\" height=\"18\" opacity=\"1\" fill=\"#FFFFFF\"";
    assert!(picture.svg.contains(white));
    assert!(texts(&picture.svg).contains(&"one pixel"));
    let (_, pixels) = decoded(&picture.png);
    let map = (50..434).flat_map(|y| (258..642).map(move |x| (y * 900 + x) * 3));
    let shades: Vec<u8> = map.map(|idx| pixels[idx]).collect();
    let (white, black): (Vec<u8>, Vec<u8>) = shades.iter().partition(|&&shade| shade == 255);
    assert_eq!((white.len(), black.len()), (36, 384 * 384 - 36));
    assert!(black.iter().all(|&shade| shade == 0));
}

#[test]
fn a_faint_image_stays_faint() {
    let values = vec![0.25; N_PIXELS];
    let panels = [("faint".to_owned(), &values[..])];
    let image = pixel_images("", &panels, 1).unwrap();
    check(&image);
    assert!(image.svg.contains("fill=\"#404040\""));
    let sum = pixel_sums("", &panels, 1).unwrap();
    assert!(!sum.svg.contains("fill=\"#404040\""));
}

#[test]
fn maps_of_the_wrong_size_and_no_columns_are_refused() {
    let values = [0.0; 10];
    let error = pixel_sums("", &[("short".to_owned(), &values)], 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "panel 0 (`short`) has 10 values, expected 4096"
    );
    assert!(matches!(
        pixel_sums("", &[], 0),
        Err(PictureError::NoColumns)
    ));
    check(&pixel_sums("", &[], usize::MAX).unwrap());
}

#[test]
fn a_long_title_and_caption_are_drawn_smaller() {
    let long = "a rather long caption ".repeat(20);
    let values = vec![0.5; N_PIXELS];
    let picture = pixel_sums(&long, &[(long.clone(), &values)], 1).unwrap();
    check(&picture);
    let sizes: Vec<f64> = picture
        .svg
        .lines()
        .filter(|line| line.starts_with("<text"))
        .map(|line| attribute(line, "font-size").parse().unwrap())
        .collect();
    assert_eq!(sizes.len(), 2);
    assert!(sizes[0] < 16.0 * UNITS && sizes[1] < sizes[0], "{sizes:?}");
}

#[test]
fn the_same_data_give_the_same_bytes() {
    let draw = || curves(XAxis::Log, &[curve(&[(1.0, 0.1), (7.0, 0.9)])]);
    assert_eq!(draw(), draw());
}
