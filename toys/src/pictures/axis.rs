//! An axis: where a value lies on it, and which values are named.

/// Fewest named values that an axis of several powers of ten aims at, and most.
const N_NAMED: std::ops::RangeInclusive<usize> = 3..=7;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
}

/// A value marked on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// The value.
    pub(super) value: f64,
    /// Its name; marks between the named ones have none.
    pub(super) name: Option<String>,
}

/// A range of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// What is measured, and its unit.
    pub(super) label: String,
    low: f64,
    high: f64,
    step: f64,
    scale: Scale,
}

impl Axis {
    /// Equal distances for equal differences, with a tick at each multiple of `step`.
    pub(super) fn linear(label: &str, (low, high): (f64, f64), step: f64) -> Self {
        Self {
            label: label.to_owned(),
            low,
            high,
            step,
            scale: Scale::Linear,
        }
    }

    /// From 0, with a handful of ticks at round values.
    pub(super) fn from_zero(label: &str, high: f64) -> Self {
        Self::linear(label, (0.0, high), round_step(high))
    }

    /// Equal distances for equal ratios of values between 1e-12 and 1e15.
    pub(super) fn log(label: &str, (low, high): (f64, f64)) -> Self {
        Self {
            label: label.to_owned(),
            low,
            high,
            step: 10.0,
            scale: Scale::Log,
        }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end, beyond them outside.
    pub(super) fn part(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        }
    }

    /// The value at a part of the axis.
    fn value(&self, part: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.low + part * (self.high - self.low),
            Scale::Log => (self.low.ln() + part * (self.high.ln() - self.low.ln())).exp(),
        }
    }

    /// `n` values, at least 2, at equal distances on the axis from `first` to `last`, both as they are.
    pub(super) fn spread(&self, first: f64, last: f64, n: u32) -> Vec<f64> {
        let (start, end) = (self.part(first), self.part(last));
        let inner = (1..n - 1).map(|idx| f64::from(idx) / f64::from(n - 1));
        let mut values = vec![first];
        values.extend(inner.map(|part| self.value(start + part * (end - start))));
        values.push(last);
        values
    }

    /// The values to mark, in order.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.multiples(),
            Scale::Log => self.powers(),
        }
    }

    fn multiples(&self) -> Vec<Tick> {
        let slack = (self.high - self.low) * 1e-9;
        let first = ((self.low - slack) / self.step).ceil();
        (0_u32..100)
            .map(|idx| (first + f64::from(idx)) * self.step)
            .take_while(|&value| value <= self.high + slack)
            .map(|value| Tick {
                value,
                name: Some(name(value, self.step)),
            })
            .collect()
    }

    /// The powers of ten, and their multiples unless there are too many; the multiples by 2 and 5 are named where there
    /// are few powers.
    fn powers(&self) -> Vec<Tick> {
        let slack = 1.0 + 1e-9;
        let exponents: Vec<i32> = (-12..=15)
            .filter(|&exponent| {
                10_f64.powi(exponent + 1) > self.low && 10_f64.powi(exponent) <= self.high * slack
            })
            .collect();
        let few = exponents.len() <= *N_NAMED.start();
        let stride = exponents.len().div_ceil(*N_NAMED.end());
        let named = |factor: u32, idx: usize| match factor {
            1 => idx.is_multiple_of(stride),
            2 | 5 => few,
            _ => false,
        };
        let factors = if stride == 1 { 1..=9 } else { 1..=1 };
        let all = exponents.iter().enumerate().flat_map(|(idx, &exponent)| {
            factors.clone().map(move |factor| {
                let value = f64::from(factor) * 10_f64.powi(exponent);
                let name = named(factor, idx).then(|| name(value, 10_f64.powi(exponent)));
                Tick { value, name }
            })
        });
        all.filter(|tick| tick.value * slack >= self.low && tick.value <= self.high * slack)
            .collect()
    }
}

/// The step of 1, 2 or 5 times a power of ten that makes 4 to 10 of a range from 0.
fn round_step(high: f64) -> f64 {
    let power = 10_f64.powf((high / 4.0).log10().floor());
    let fitting = [5.0, 2.0].map(|factor| factor * power);
    fitting
        .into_iter()
        .find(|step| high / step >= 4.0)
        .unwrap_or(power)
}

/// A tick's value with the decimals that its step asks for.
fn name(value: f64, step: f64) -> String {
    let value = if value == 0.0 { 0.0 } else { value };
    if !(1e-4..1e5).contains(&step) {
        return format!("{value:e}");
    }
    let n_decimals = (0..4).find(|&n| step * 10_f64.powi(n) >= 1.0 - 1e-9);
    let n_decimals = usize::try_from(n_decimals.unwrap_or(4)).unwrap_or(4);
    format!("{value:.n_decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().filter_map(|t| t.name).collect()
    }

    #[test]
    fn multiples_of_the_step_are_named_with_its_decimals() {
        let unit = Axis::linear("", (0.0, 1.0), 0.2);
        assert_eq!(names(&unit), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let pixels = Axis::linear("", (-10.0, 64.0), 16.0);
        assert_eq!(names(&pixels), ["0", "16", "32", "48", "64"]);
    }

    #[test]
    fn an_axis_from_zero_has_a_handful_of_round_ticks() {
        assert_eq!(names(&Axis::from_zero("", 175.0))[..3], ["0", "20", "40"]);
        for high in [1e-9, 0.3, 1.0, 7.0, 99.0, 16_000.0, 3e300] {
            let n_ticks = Axis::from_zero("", high).ticks().len();
            assert!((5..=11).contains(&n_ticks), "{n_ticks} ticks up to {high}");
        }
    }

    #[test]
    fn powers_of_ten_are_named_and_so_are_parts_of_few() {
        assert_eq!(
            names(&Axis::log("", (1.0, 1e4))),
            ["1", "10", "100", "1000", "10000"]
        );
        assert_eq!(names(&Axis::log("", (3.0, 60.0))), ["5", "10", "20", "50"]);
        assert!(names(&Axis::log("", (1e-9, 1e12))).len() <= 7);
    }

    #[test]
    fn a_spread_keeps_its_ends_and_the_distances_of_the_axis() {
        let values = Axis::log("", (1.0, 1000.0)).spread(1.0, 100.0, 3);
        assert_eq!(
            (values[0].to_bits(), values[2].to_bits()),
            (1_f64.to_bits(), 100_f64.to_bits())
        );
        assert!((values[1] - 10.0).abs() < 1e-9);
    }
}
