//! Numbers as people write them: `20k`, `1.5M`, `1e6`, `10_000_000`.

/// The largest count that a TOML file can hold.
const MAX: u64 = i64::MAX as u64;

/// Reads a whole number: digits with optional `_`, a decimal or an exponent that comes out whole, and a suffix
/// `k` (thousand), `M` (million) or `G`/`B` (billion).
///
/// # Errors
/// What is wrong with the text, in words; the text itself is not repeated.
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    let digits = text.trim().replace('_', "");
    if let Ok(value) = digits.parse::<u64>() {
        return in_range(value);
    }
    let scaled = match digits.char_indices().last() {
        Some((at, 'k' | 'K')) => format!("{}e3", &digits[..at]),
        Some((at, 'm' | 'M')) => format!("{}e6", &digits[..at]),
        Some((at, 'g' | 'G' | 'b' | 'B')) => format!("{}e9", &digits[..at]),
        _ => digits,
    };
    // "1.1e6" is read as a whole and so exactly, which 1.1 * 1e6 would not be.
    let is_decimal = scaled.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    match scaled.parse::<f64>() {
        Ok(value) if is_decimal => whole(value),
        _ => Err("expected a whole number such as 10000, 20k, 1.5M or 1e6".to_owned()),
    }
}

fn whole(value: f64) -> Result<u64, String> {
    /// Above this, not every whole number has a value of its own in an `f64`.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value < 0.0 {
        return Err("must not be negative".to_owned());
    }
    if value > EXACT {
        return Err("too large; write it as digits".to_owned());
    }
    if value.fract() != 0.0 {
        return Err("must come out as a whole number".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: whole, not negative, at most 2^53"
    )]
    Ok(value as u64)
}

fn in_range(value: u64) -> Result<u64, String> {
    if value > MAX {
        return Err(format!("must be at most {MAX}"));
    }
    Ok(value)
}

/// Writes a count with `_` between groups of three digits: `10_000_000`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (digit_idx, digit) in digits.chars().enumerate() {
        if digit_idx > 0 && (digits.len() - digit_idx).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_whole_number_is_refused_with_its_reason() {
        let check = |text: &str, reason: &str| {
            let error = parse_count(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        };
        for text in [
            "", "k", "ten", "10x", "1e3k", "inf", "NaN", "1.2.3", "0x10", "--5",
        ] {
            check(text, "expected a whole number");
        }
        check("-5", "negative");
        check("-1k", "negative");
        check("0.5", "whole");
        check("1.2345k", "whole");
        check("1e300", "too large");
        check("18446744073709551615", "at most 9223372036854775807");
    }

    #[test]
    fn counts_are_read_as_people_write_them() {
        let check = |text, expected| assert_eq!(parse_count(text), Ok(expected), "{text}");
        check("0", 0);
        check("20k", 20_000);
        check("1.5M", 1_500_000);
        check("1.1M", 1_100_000);
        check("4.35M", 4_350_000);
        check("1e6", 1_000_000);
        check("2.5e3", 2_500);
        check("10_000_000", 10_000_000);
        check("1B", 1_000_000_000);
        check("9223372036854775807", 9_223_372_036_854_775_807);
    }

    #[test]
    fn grouping_reads_back() {
        for value in [0, 12, 123, 1_234, 123_456, 10_000_000] {
            assert_eq!(parse_count(&grouped(value)), Ok(value));
        }
        assert_eq!(grouped(1_234_567), "1_234_567");
    }
}
