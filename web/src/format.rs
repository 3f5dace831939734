//! Formatting of numbers for the user.
//!
//! In German, only decimal commas and dates differ: units are symbols of SI and IEC, which do not
//! change with the sentence around them and end in no full stop.

use crate::texts::{Language, amounts};

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// A size in bytes with three significant digits: `0 B`, `1.25 MiB`, `340 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    let last = UNITS.len() - 1;
    let unit = (0..last).find(|unit| rounded(bytes, *unit, 0) < 1000);
    with_unit(bytes, unit.unwrap_or(last), rounded)
}

/// As [`size`], but rounded down: 1023.9 MiB are not shown as 1.00 GiB.
fn size_at_most(bytes: u64) -> String {
    let unit = (0..UNITS.len()).rfind(|unit| rounded_down(bytes, *unit, 0) > 0);
    with_unit(bytes, unit.unwrap_or(0), rounded_down)
}

/// The size in a unit, with as many decimals as keep it at three digits. `scaled` is one of the
/// functions below.
fn with_unit(bytes: u64, unit: usize, scaled: fn(u64, usize, usize) -> u64) -> String {
    let most = if unit == 0 { 0 } else { 2 };
    let digits = (1..=most).rfind(|digits| scaled(bytes, unit, *digits) < 1000);
    let digits = digits.unwrap_or(0);
    let number = decimal(scaled(bytes, unit, digits), digits);
    format!("{number} {}", UNITS[unit])
}

/// A size in a unit, times ten to the power of `digits`.
fn rounded(bytes: u64, unit: usize, digits: usize) -> u64 {
    // Twice as much, whose last bit says in which direction to round.
    let doubled = match unit {
        0 => scale(bytes, digits).saturating_mul(2),
        _ => scale(bytes, digits) >> (10 * unit - 1),
    };
    doubled / 2 + doubled % 2
}

/// As [`rounded`], but rounded down.
fn rounded_down(bytes: u64, unit: usize, digits: usize) -> u64 {
    scale(bytes, digits) >> (10 * unit)
}

/// Saturates only where the size has more than three digits without decimals.
const fn scale(number: u64, digits: usize) -> u64 {
    number.saturating_mul([1, 10, 100][digits])
}

/// A number of tenths (one digit) or hundredths (two): `1.25`, or `1,25` in German.
pub(crate) fn decimal(scaled: u64, digits: usize) -> String {
    fixed(scaled, digits, Language::current().pick('.', ','))
}

/// As [`decimal`], with this separator. Numbers with a fraction are formatted in this way because
/// the standard library's code for floating point is large.
pub(crate) fn fixed(scaled: u64, digits: usize, separator: char) -> String {
    let one = scale(1, digits);
    let (whole, fraction) = (scaled / one, scaled % one);
    match digits {
        0 => whole.to_string(),
        _ => format!("{whole}{separator}{fraction:0digits$}"),
    }
}

/// Shows a part of a whole so that only the whole looks complete: `0.99 GiB of 1.00 GiB`, `1.00
/// GiB, 256 KiB missing`.
pub(crate) fn part(done: u64, whole: u64) -> String {
    let (some, all) = (size_at_most(done), size(whole));
    match whole.checked_sub(done) {
        None | Some(0) => all,
        Some(missing) if some == all => amounts::nearly(all, size(missing)),
        Some(_) => amounts::part_of(some, all),
    }
}

/// Formats two sizes so that the smaller one also looks smaller.
pub(crate) fn apart(small: u64, large: u64) -> (String, String) {
    let (less, more) = (size_at_most(small), size(large));
    if less == more {
        (format!("{small} B"), format!("{large} B"))
    } else {
        (less, more)
    }
}

/// A rate in bytes per second: `1.25 MiB/s`.
pub(crate) fn rate(bytes: u64) -> String {
    format!("{}/s", size(bytes))
}

/// A duration in its two largest units: `8 s`, `4 min 20 s`, `3 h 5 min`, `2 d 4 h`.
pub(crate) fn duration(seconds: u64) -> String {
    let (days, hours, minutes, secs) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, m) if m >= 10 || secs == 0 => format!("{m} min"),
        (0, 0, m) => format!("{m} min {secs} s"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

/// The day, in UTC, of a time in seconds since 1970: `2023-11-14`, or `14.11.2023` in German.
pub(crate) fn date(seconds: i64) -> String {
    // Days since 1 March of the year 0 in eras of 400 years, each of 146,097 days, so that leap days
    // come last.
    let days = seconds.div_euclid(86_400).saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    match Language::current() {
        Language::English => format!("{year:04}-{month:02}-{day:02}"),
        Language::German => format!("{day:02}.{month:02}.{year:04}"),
    }
}

/// The percentage of a whole, rounded down so that 100 means all of it. An empty whole is complete.
pub(crate) fn percent(done: u64, whole: u64) -> u8 {
    if done >= whole {
        return 100;
    }
    let percent = u128::from(done) * 100 / u128::from(whole);
    u8::try_from(percent).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_significant_digits() {
        let shown: Vec<_> = [
            0,
            999,
            1000,
            1024,
            1_310_720,
            104_857_600,
            1_048_100_000,
            u64::MAX,
        ]
        .map(size)
        .into();
        assert_eq!(
            shown,
            [
                "0 B",
                "999 B",
                "0.98 KiB",
                "1.00 KiB",
                "1.25 MiB",
                "100 MiB",
                "0.98 GiB",
                "16384 PiB"
            ]
        );
    }

    #[test]
    fn a_number_has_its_decimals() {
        assert_eq!(
            [decimal(7, 0), decimal(70, 1), decimal(105, 2)],
            ["7", "7.0", "1.05"].map(str::to_owned)
        );
    }

    #[test]
    fn only_a_whole_reads_as_one() {
        let (gib, piece) = (1 << 30, 256 << 10);
        assert_eq!(part(gib - piece, gib), "1023 MiB of 1.00 GiB");
        assert_eq!(
            part(gib + (3 << 20) - piece, gib + (3 << 20)),
            "1.00 GiB, 256 KiB missing"
        );
        assert_eq!(part(gib, gib), "1.00 GiB");
        assert_eq!(part(1023, 1024), "1023 B of 1.00 KiB");
        assert_eq!(
            (part(0, 1), part(0, 0)),
            ("0 B of 1 B".to_owned(), "0 B".to_owned())
        );
        let rounded: Vec<_> = [999, 1023, 1535, 10_239, 104_857_599, 104_857_600]
            .map(size_at_most)
            .into();
        assert_eq!(
            rounded,
            [
                "999 B", "1023 B", "1.49 KiB", "9.99 KiB", "99.9 MiB", "100 MiB"
            ]
        );
    }

    #[test]
    fn german_numbers_have_a_decimal_comma_and_dates_begin_with_the_day() {
        Language::German.during(|| {
            assert_eq!(rate(1_310_720), "1,25 MiB/s");
            assert_eq!(part(1 << 20, 3 << 20), "1,00 MiB von 3,00 MiB");
            let nearly = part((1 << 30) + (3 << 20) - 1, (1 << 30) + (3 << 20));
            assert_eq!(nearly, "1,00 GiB, 1 B fehlen");
            assert_eq!(duration(11_100), "3 h 5 min");
            assert_eq!(date(1_700_000_000), "14.11.2023");
        });
    }

    #[test]
    fn a_smaller_size_reads_as_smaller() {
        assert_eq!(
            apart(gib(), gib() + 1000),
            ("1073741824 B".to_owned(), "1073742824 B".to_owned())
        );
        assert_eq!(
            apart(gib() / 2, gib()),
            ("512 MiB".to_owned(), "1.00 GiB".to_owned())
        );
    }

    const fn gib() -> u64 {
        1 << 30
    }

    #[test]
    fn a_time_is_told_as_its_day() {
        let days = [0, 86_399, 951_782_400, 1_709_164_800, 1_735_689_599, -1].map(date);
        assert_eq!(
            days,
            [
                "1970-01-01",
                "1970-01-01",
                "2000-02-29",
                "2024-02-29",
                "2024-12-31",
                "1969-12-31"
            ]
        );
        date(i64::MIN);
        date(i64::MAX);
    }

    #[test]
    fn durations_name_their_two_largest_units() {
        let shown: Vec<_> = [0, 59, 60, 260, 750, 3600, 11_100, 86_400, 187_200]
            .map(duration)
            .into();
        assert_eq!(
            shown,
            [
                "0 s",
                "59 s",
                "1 min",
                "4 min 20 s",
                "12 min",
                "1 h",
                "3 h 5 min",
                "1 d",
                "2 d 4 h"
            ]
        );
    }

    #[test]
    fn a_hundred_percent_means_every_byte() {
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(1000, 1000), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(0, 1), 0);
    }
}
