//! From values to pixels, with round ticks.

use crate::run::progress::human_count;

/// A linear axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// The values at both ends.
    domain: (f64, f64),
    /// The pixels of both ends.
    range: (f64, f64),
}

impl Scale {
    /// An axis from `domain.0` at pixel `range.0` to `domain.1` at pixel `range.1`.
    pub(super) fn new(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { domain, range }
    }

    /// An axis that holds all finite values, with room beside them.
    pub(super) fn around(values: impl Iterator<Item = f64>, range: (f64, f64)) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let room = if high > low {
            (high - low) * 0.05
        } else {
            high.abs().max(1.0) * 0.5
        };
        Self::new((low - room, high + room), range)
    }

    /// The pixel of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let ((low, high), (first, last)) = (self.domain, self.range);
        first + (value - low) / (high - low) * (last - first)
    }

    /// The upper edge, of an axis that goes up.
    pub(super) fn top(&self) -> f64 {
        self.range.1
    }

    /// The lower edge, of an axis that goes up.
    pub(super) fn bottom(&self) -> f64 {
        self.range.0
    }

    /// About `count` round values on the axis.
    pub(super) fn ticks(&self, count: u32) -> Vec<f64> {
        let (low, high) = self.domain;
        let rough = (high - low) / f64::from(count);
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|&step| step >= rough * 0.999)
            .unwrap_or(power);
        let first = (low / step).ceil();
        let tick = |index: u32| (first + f64::from(index)) * step;
        // 0 may come out as -0.
        (0..=2 * count + 2)
            .map(tick)
            .take_while(|&tick| tick <= high + step * 1e-9)
            .map(|tick| tick + 0.0)
            .collect()
    }
}

/// A number in a few digits: scores and parts of them.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 => return thousands(value),
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.replace('-', "\u{2212}")
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 {
        format!("\u{2212}{text}")
    } else {
        text
    }
}

/// A number of steps: `300k`, `1.25M`.
pub(crate) fn step_count(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "steps are whole, and not negative"
    )]
    human_count(value.max(0.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        let check = |low, high, expected: &[f64]| {
            let got = Scale::new((low, high), (0.0, 100.0)).ticks(4);
            let is_same = got.len() == expected.len()
                && got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(is_same, "{low} to {high}: {got:?}");
        };
        check(0.0, 1.0, &[0.0, 0.25, 0.5, 0.75, 1.0]);
        check(-21.0, 21.0, &[-20.0, 0.0, 20.0]);
        check(310.0, 690.0, &[400.0, 500.0, 600.0]);
        check(0.0, 300_000.0, &[0.0, 100_000.0, 200_000.0, 300_000.0]);
    }

    #[test]
    fn an_axis_has_room_even_for_one_value_or_none() {
        for values in [vec![], vec![0.0, 0.0], vec![5.0], vec![f64::NAN]] {
            let scale = Scale::around(values.iter().copied(), (100.0, 0.0));
            assert!(
                scale.ticks(4).len() >= 2 && scale.at(0.0).is_finite(),
                "{values:?}"
            );
        }
    }

    #[test]
    fn numbers_have_a_few_digits() {
        let got = [
            0.0,
            -0.0001,
            0.1234,
            -20.25,
            12.0,
            123.4,
            1_234_567.8,
            -1_000.0,
        ]
        .map(number);
        let minus = "\u{2212}";
        let expected = [
            "0",
            "0",
            "0.123",
            &format!("{minus}20.2"),
            "12",
            "123",
            "1,234,568",
            &format!("{minus}1,000"),
        ];
        assert_eq!(got, expected);
    }
}
