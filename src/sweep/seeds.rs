//! Seeds as they are written: `1-5`, `1,3,7-9`.

use serde::Deserialize;

use crate::config::parse_count;

/// Most seeds of one list.
const MOST: u64 = 10_000;

/// Seeds in their order, each once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Seeds(pub(crate) Vec<u64>);

/// A sweep file has either.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "seeds are a list of numbers from 0 on, or a text such as \"1-5\""
)]
enum Written {
    List(Vec<u64>),
    Text(String),
}

impl TryFrom<Written> for Seeds {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::List(seeds) => Self::distinct(seeds),
            Written::Text(text) => parse_seeds(&text),
        }
    }
}

impl Seeds {
    fn distinct(seeds: Vec<u64>) -> Result<Self, String> {
        let mut distinct: Vec<u64> = Vec::new();
        for seed in seeds {
            if !distinct.contains(&seed) {
                distinct.push(seed);
            }
        }
        if distinct.is_empty() {
            return Err("no seeds".to_owned());
        }
        Ok(Self(distinct))
    }
}

/// Reads numbers and ranges with commas between them; the ends of a range belong to it.
///
/// # Errors
/// What is wrong with the text, in words.
pub(crate) fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let mut seeds = Vec::new();
    for part in text.split(',').map(str::trim) {
        let number = |text: &str| {
            parse_count(text).map_err(|_| {
                format!("`{part}` is no seed: expected numbers such as 1-5 or 1,3,7-9")
            })
        };
        let Some((first, last)) = part.split_once('-') else {
            seeds.push(number(part)?);
            continue;
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("`{part}` runs backwards"));
        }
        if last - first >= MOST {
            return Err(format!("`{part}` are more than {MOST} seeds"));
        }
        seeds.extend(first..=last);
    }
    Seeds::distinct(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_in_their_order_and_each_once() {
        let check = |text: &str, expected: &[u64]| {
            assert_eq!(parse_seeds(text).unwrap().0, expected, "{text}");
        };
        check("1", &[1]);
        check("1-5", &[1, 2, 3, 4, 5]);
        check("7, 1-3,2-4", &[7, 1, 2, 3, 4]);
        check("0-0", &[0]);
    }

    #[test]
    fn what_is_no_list_of_seeds_is_refused_with_its_part() {
        let check = |text: &str, expected: &str| {
            let error = parse_seeds(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        for text in ["", "1,", "a", "1-", "-1", "1-2-3", "1..5", "1.5"] {
            check(text, "is no seed");
        }
        check("1,5-3", "`5-3` runs backwards");
        check("0-99999999", "more than 10000");
    }
}
