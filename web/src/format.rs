//! Numbers as people read them.

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// A size in bytes with three significant digits: `0 B`, `1.25 MiB`, `340 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut rest = bytes as f64;
    while rest >= 999.5 && unit + 1 < UNITS.len() {
        rest /= 1024.0;
        unit += 1;
    }
    let digits = match rest {
        _ if unit == 0 => 0,
        r if r < 9.995 => 2,
        r if r < 99.95 => 1,
        _ => 0,
    };
    format!("{rest:.digits$} {}", UNITS[unit])
}

/// A rate in bytes per second: `1.25 MiB/s`.
#[must_use]
pub fn rate(bytes: u64) -> String {
    format!("{}/s", size(bytes))
}

/// A span of time in its two largest units: `8 s`, `4 min 20 s`, `3 h 5 min`, `2 d 4 h`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes, secs) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
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

/// How much of a whole, 0 to 100, rounded down so that 100 means all of it. An empty whole is all there.
#[must_use]
pub fn percent(done: u64, whole: u64) -> u8 {
    if done >= whole {
        return 100;
    }
    let percent = u128::from(done) * 100 / u128::from(whole);
    u8::try_from(percent).unwrap_or(100)
}

/// `1 peer`, `3 peers`.
#[must_use]
pub fn count(n: u32, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_significant_digits() {
        let shown: Vec<_> = [0, 999, 1000, 1024, 1_310_720, 104_857_600, 1_048_100_000, u64::MAX].map(size).into();
        assert_eq!(shown, ["0 B", "999 B", "0.98 KiB", "1.00 KiB", "1.25 MiB", "100 MiB", "0.98 GiB", "16384 PiB"]);
    }

    #[test]
    fn spans_name_their_two_largest_units() {
        let shown: Vec<_> = [0, 59, 60, 260, 750, 3600, 11_100, 86_400, 187_200].map(duration).into();
        assert_eq!(shown, ["0 s", "59 s", "1 min", "4 min 20 s", "12 min", "1 h", "3 h 5 min", "1 d", "2 d 4 h"]);
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
