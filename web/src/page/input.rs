//! What users type into fields: parsed, or refused with a sentence that says what to type.

use crate::format::decimal;
use crate::message::PEERS;
use crate::texts::fields as texts;

/// The largest rate limit in KiB/s, which is more than any network transfers.
const MAX_LIMIT: u64 = 100_000_000;
/// The largest ratio, in hundredths.
const MAX_RATIO: u32 = 1_000_000;
/// How the addresses of trackers begin.
pub(super) const TRACKERS: &[&str] = &["http://", "https://", "udp://"];
/// How the addresses of web seeds begin.
pub(super) const WEB: &[&str] = &["http://", "https://"];
/// The most addresses in a list.
const MAX_ADDRESSES: usize = 100;
/// The maximum length of an address in bytes.
const MAX_ADDRESS: usize = 2000;

/// A rate limit, typed in KiB/s, in bytes per second; `None` for an empty field.
pub(super) fn limit(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok();
    match number.filter(|kib| (1..=MAX_LIMIT).contains(kib)) {
        Some(kib) => Ok(Some(kib * 1024)),
        None => Err(texts::type_limit(MAX_LIMIT)),
    }
}

/// A rate limit as it is typed.
pub(super) fn limit_text(limit: Option<u64>) -> String {
    limit.map_or_else(String::new, |bytes| (bytes / 1024).max(1).to_string())
}

/// A number of peers.
pub(super) fn peers(text: &str) -> Result<u16, String> {
    let number = text.parse().ok().filter(|number| PEERS.contains(number));
    number.ok_or_else(|| texts::type_number(PEERS.start(), PEERS.end()))
}

/// A ratio, in hundredths.
pub(super) fn ratio(text: &str) -> Result<u32, String> {
    let ratio = hundredths(text).filter(|ratio| (1..=MAX_RATIO).contains(ratio));
    ratio.ok_or_else(|| texts::type_ratio(ratio_text(1), ratio_text(MAX_RATIO)))
}

/// A number with decimals, rounded to hundredths.
fn hundredths(text: &str) -> Option<u32> {
    // In many countries the comma separates decimals.
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let whole: u32 = format!("0{whole}").parse().ok()?;
    let thousandths: u32 = format!("{decimals:0<3}").get(..3)?.parse().ok()?;
    whole.checked_mul(100)?.checked_add((thousandths + 5) / 10)
}

/// A ratio as it is typed.
pub(super) fn ratio_text(hundredths: u32) -> String {
    let text = decimal(hundredths.into(), 2);
    let text = text.trim_end_matches('0');
    text.trim_end_matches(['.', ',']).to_owned()
}

/// Addresses, one per line, that begin with one of these schemes.
pub(super) fn addresses(text: &str, schemes: &[&str]) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.split_whitespace() {
        if !is_address(line, schemes) {
            let either = |one: String, other| texts::either(one, other);
            let schemes = schemes.iter().map(|scheme| (*scheme).to_owned());
            let schemes = schemes.reduce(either).unwrap_or_default();
            return Err(texts::type_addresses(line, schemes));
        }
        if !found.iter().any(|other| other == line) {
            found.push(line.to_owned());
        }
    }
    if found.len() > MAX_ADDRESSES {
        return Err(texts::type_fewer_addresses(MAX_ADDRESSES));
    }
    Ok(found)
}

fn is_address(text: &str, schemes: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = schemes.iter().find_map(|scheme| lower.strip_prefix(scheme));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    text.len() <= MAX_ADDRESS && host.is_some_and(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_typed_in_kibibytes_and_an_empty_field_is_none() {
        assert_eq!(limit(""), Ok(None));
        assert_eq!(limit("100"), Ok(Some(102_400)));
        for bad in ["0", "-1", "1.5", "fast", "99999999999999999999"] {
            assert!(limit(bad).unwrap_err().contains("whole number"), "{bad}");
        }
        assert_eq!(
            (limit_text(None), limit_text(Some(102_400))),
            (String::new(), "100".to_owned())
        );
    }

    #[test]
    fn a_ratio_has_two_decimals_and_either_separator() {
        assert_eq!((ratio("1.5"), ratio("0,25")), (Ok(150), Ok(25)));
        assert_eq!(
            (ratio("2"), ratio(".5"), ratio("3.")),
            (Ok(200), Ok(50), Ok(300))
        );
        assert_eq!((ratio("0.005"), ratio("10000")), (Ok(1), Ok(1_000_000)));
        let texts = [150, 5, 200, 1_000_000].map(ratio_text);
        assert_eq!(texts, ["1.5", "0.05", "2", "10000"].map(str::to_owned));
        for bad in [
            "0",
            "-2",
            "",
            ".",
            "x",
            "NaN",
            "inf",
            "1e99",
            "1.5.2",
            "10000.01",
            "99999999999",
        ] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_need_a_scheme_and_a_host_and_count_once() {
        const SCHEMES: &[&str] = &["http://", "udp://"];
        assert_eq!(addresses("", SCHEMES), Ok(vec![]));
        assert_eq!(
            addresses(
                " udp://t.example:6969/announce\nHTTP://u.example\nHTTP://u.example ",
                SCHEMES
            ),
            Ok(vec![
                "udp://t.example:6969/announce".to_owned(),
                "HTTP://u.example".to_owned()
            ])
        );
        for bad in ["tracker.example", "udp://", "wss://t.example", "http:///x"] {
            let why = addresses(bad, SCHEMES).unwrap_err();
            assert!(
                why.contains(bad) && why.contains("http:// or udp://"),
                "{why}"
            );
        }
    }

    #[test]
    fn the_number_of_peers_has_bounds() {
        assert_eq!((peers("1"), peers("200")), (Ok(1), Ok(200)));
        for bad in ["0", "201", "", "many", "70000"] {
            assert!(peers(bad).unwrap_err().contains("1 to 200"), "{bad}");
        }
    }
}
