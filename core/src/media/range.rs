//! The part of a file that a `Range` field requests (RFC 9110, 14.2).

use std::ops::Range;

/// The part of a file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// All of it: status 200. There is no field, or one that a server must or may ignore.
    Whole,
    /// These bytes: status 206.
    Part(Range<u64>),
    /// None: status 416. No byte of the file is in the requested range.
    Unsatisfiable,
}

/// What to send of a file of `size` bytes. Several ranges in one field are answered with the whole
/// file, as the specification permits.
pub(super) fn select(field: Option<&str>, size: u64) -> Selected {
    let Some((first, last)) = field.and_then(single_range) else {
        return Selected::Whole;
    };
    let part = match (first, last) {
        (Some(first), Some(last)) if first > last => return Selected::Whole,
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        (None, Some(suffix)) => size.saturating_sub(suffix)..size,
        (None, None) => return Selected::Whole,
    };
    if part.is_empty() {
        Selected::Unsatisfiable
    } else {
        Selected::Part(part)
    }
}

/// The two numbers of `bytes=FIRST-LAST`, of which one may be absent. `None` if the field is
/// anything else.
fn single_range(field: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = field.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    unit.trim()
        .eq_ignore_ascii_case("bytes")
        .then_some((number(first)?, number(last)?))
}

/// A number that may be absent. One beyond 64 bits is the largest, since no file is that long.
fn number(digits: &str) -> Option<Option<u64>> {
    let digits = digits.trim();
    if digits.is_empty() {
        return Some(None);
    }
    digits
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| Some(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{Selected, select};

    fn of_a_thousand(field: &str) -> Selected {
        select(Some(field), 1000)
    }

    #[test]
    fn what_browsers_request_is_what_they_get() {
        for (field, part) in [
            ("bytes=0-", 0..1000),
            ("bytes=0-1", 0..2),
            ("bytes=0-0", 0..1),
            ("bytes=999-999", 999..1000),
            ("bytes=500-", 500..1000),
            ("bytes=-100", 900..1000),
            ("Bytes = 5 - 9", 5..10),
        ] {
            assert_eq!(of_a_thousand(field), Selected::Part(part), "{field}");
        }
    }

    #[test]
    fn a_range_that_reaches_beyond_the_end_is_cut() {
        for (field, part) in [
            ("bytes=990-5000", 990..1000),
            ("bytes=0-99999999999999999999999", 0..1000),
            ("bytes=-5000", 0..1000),
        ] {
            assert_eq!(of_a_thousand(field), Selected::Part(part), "{field}");
        }
    }

    #[test]
    fn a_range_without_a_byte_of_the_file_is_unsatisfiable() {
        for field in [
            "bytes=1000-",
            "bytes=1000-2000",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(of_a_thousand(field), Selected::Unsatisfiable, "{field}");
        }
        assert_eq!(select(Some("bytes=0-"), 0), Selected::Unsatisfiable);
        assert_eq!(select(Some("bytes=-1"), 0), Selected::Unsatisfiable);
    }

    #[test]
    fn what_is_not_a_single_range_of_bytes_is_ignored() {
        for field in [
            "bytes=0-1,5-6",
            "bytes=9-5",
            "bytes=",
            "bytes=-",
            "bytes",
            "lines=0-5",
            "bytes=a-5",
            "bytes=+1-5",
            "bytes=0x1-",
            "bytes=1--2",
            "",
        ] {
            assert_eq!(of_a_thousand(field), Selected::Whole, "{field}");
        }
        assert_eq!(select(None, 1000), Selected::Whole);
    }
}
