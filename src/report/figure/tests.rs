//! What holds for every figure.

use super::*;
use crate::report::statistics::Interval;

fn figure(label: &str) -> Figure {
    let row = |value, interval| DotRow {
        variant: 1,
        label: label.to_owned(),
        value,
        interval,
    };
    let interval = Interval {
        low: -1.0,
        high: 4.0,
    };
    dots(&DotsSpec {
        name: "name".to_owned(),
        title: label.to_owned(),
        panels: &[(
            "panel".to_owned(),
            vec![row(0.5, Some(interval)), row(0.5, None)],
        )],
        marked: Some(0.5),
    })
}

fn curves(values: &[Option<f64>]) -> Figure {
    let curve = VariantCurve {
        variant: 0,
        label: "conv".to_owned(),
        mean: values.to_vec(),
        band: vec![None; values.len()],
        seeds: vec![("seed 1".to_owned(), values.to_vec())],
        drawn_only: Vec::new(),
    };
    learning_curves(&CurvesSpec {
        name: "name".to_owned(),
        title: "Pong".to_owned(),
        grid: &(0..values.len() as u64).collect::<Vec<_>>(),
        curves: &[curve],
        overlays: &[],
    })
}

#[test]
fn names_of_users_cannot_become_markup() {
    for figure in [
        figure("<script>alert('x')</script>"),
        figure("\"/><b>&\u{0}"),
    ] {
        for text in [figure.inline(), figure.file()] {
            assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
        }
        assert!(png(&figure).is_ok(), "{}", figure.file());
    }
}

#[test]
fn nothing_is_drawn_at_no_place_whatever_the_values() {
    for values in [
        &[][..],
        &[None, None],
        &[Some(5.0)],
        &[None, Some(5.0), Some(5.0)],
        &[Some(-1e9), Some(1e9)],
        &[Some(0.0); 3],
    ] {
        let text = curves(values).file();
        assert!(
            !text.contains("NaN") && !text.contains("inf"),
            "{values:?}: {text}"
        );
    }
}

#[test]
fn a_png_has_three_pixels_for_one_and_shows_text_and_colour() {
    let figure = curves(&[Some(0.0), Some(2.0), Some(1.0)]);
    let bytes = png(&figure).unwrap();
    let picture = resvg::tiny_skia::Pixmap::decode_png(&bytes).unwrap();
    let (width, height) = figure.size;
    assert!((f64::from(picture.width()) - 3.0 * width).abs() < 2.0);
    assert!((f64::from(picture.height()) - 3.0 * height).abs() < 2.0);
    let count = |is: fn(u8, u8, u8) -> bool| {
        picture
            .pixels()
            .iter()
            .filter(|p| is(p.red(), p.green(), p.blue()))
            .count()
    };
    assert!(count(|r, g, b| r < 60 && g < 60 && b < 60) > 100, "no text");
    assert!(count(|r, _, b| b > 150 && r < 80) > 300, "no curve");
}
