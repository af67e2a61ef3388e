//! What stands in an SVG and in a PNG.

use std::io::Cursor;

use plotters::style::RGBColor;

use crate::pictures::Picture;
use crate::task::NetKind;

/// Units of the SVG per pixel.
pub(super) const UNITS: f64 = 3.0;

/// A circle of an SVG: its centre in units, whether it is hollow, its colour.
#[derive(Debug, PartialEq)]
pub(super) struct Circle {
    pub(super) at: (f64, f64),
    pub(super) hollow: bool,
    pub(super) colour: String,
}

pub(super) fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

pub(super) fn circles(svg: &str, net: NetKind) -> Vec<Circle> {
    let RGBColor(red, green, blue) = net.colour();
    let colour = format!("#{red:02X}{green:02X}{blue:02X}");
    svg.lines()
        .filter(|line| line.starts_with("<circle"))
        .map(|element| {
            let number = |name| attribute(element, name).parse().unwrap();
            let fill = attribute(element, "fill");
            let hollow = fill == "none";
            let colour = if hollow {
                attribute(element, "stroke")
            } else {
                fill
            };
            Circle {
                at: (number("cx"), number("cy")),
                hollow,
                colour: colour.to_owned(),
            }
        })
        .filter(|circle| circle.colour == colour)
        .collect()
}

/// The lines that are text, not elements.
pub(super) fn texts(svg: &str) -> Vec<&str> {
    svg.lines().filter(|line| !line.starts_with('<')).collect()
}

/// Checks both formats of a picture, and returns the size of the PNG.
#[track_caller]
pub(super) fn check(picture: &Picture) -> (u32, u32) {
    check_elements(&picture.svg);
    let (size, pixels) = decoded(&picture.png);
    let n_dark = pixels.iter().filter(|&&value| value < 128).count();
    assert!(n_dark > 300, "the PNG is blank: {n_dark} dark values");
    let root = picture.svg.lines().next().unwrap();
    assert_eq!(attribute(root, "width"), size.0.to_string());
    assert_eq!(attribute(root, "height"), size.1.to_string());
    size
}

/// Width, height and bytes of a PNG.
pub(super) fn decoded(png: &[u8]) -> ((u32, u32), Vec<u8>) {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    ((info.width, info.height), pixels)
}

/// Each element that is opened is closed, in order, and text is escaped.
#[track_caller]
fn check_elements(svg: &str) {
    let mut open = Vec::new();
    for line in svg.lines() {
        match line.strip_prefix('<') {
            Some(element) if element.starts_with('/') => {
                assert_eq!(open.pop(), element[1..].strip_suffix('>'), "{line}");
            }
            Some(element) => {
                let name = element.split([' ', '>']).next().unwrap();
                assert_eq!(line.matches('"').count() % 2, 0, "{line}");
                if !element.ends_with("/>") {
                    assert!(element.ends_with('>'), "{line}");
                    open.push(name);
                }
            }
            None => assert!(!line.contains(['<', '>']), "{line}"),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}
