//! The figures, as SVG of our own: small enough to stand beside each other on a wide page and to be legible on a telephone.
//!
//! A figure names its colours by class. On the page the classes follow the reader's light or dark scheme; a figure that
//! is a file of its own carries `file.css`, and its PNG is drawn from that.

mod canvas;
mod curves;
mod dots;
mod png;
mod profiles;
mod scale;

pub(crate) use curves::{CurvesSpec, VariantCurve, learning_curves};
pub(crate) use dots::{DotRow, DotsSpec, dots};
pub(crate) use png::png;
pub(crate) use profiles::{ProfileCurve, profiles};
pub(crate) use scale::{number, step_count};

/// Colours of variants before they come again.
pub(crate) const N_COLOURS: usize = 8;

/// A figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The name of its files.
    pub(crate) name: String,
    /// Its title, which stands in it too.
    pub(crate) title: String,
    /// What can be seen, for those who cannot see it.
    pub(crate) description: String,
    /// Width and height in pixels.
    pub(crate) size: (f64, f64),
    /// The elements.
    pub(crate) body: String,
}

impl Figure {
    /// The figure as a part of a page.
    pub(crate) fn inline(&self) -> String {
        let (width, height) = self.size;
        format!(
            "<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            escape(&format!("{}. {}", self.title, self.description)),
            self.body
        )
    }

    /// The figure as a file of its own.
    pub(crate) fn file(&self) -> String {
        let (width, height) = self.size;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
             <title>{}</title>\n<desc>{}</desc>\n<style>{}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escape(&self.title),
            escape(&self.description),
            include_str!("file.css"),
            self.body
        )
    }
}

/// A text for HTML and XML, inside of elements and of attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no form at all for the other control characters.
            control if control.is_control() && !control.is_ascii_whitespace() => {
                escaped.push('\u{fffd}');
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
