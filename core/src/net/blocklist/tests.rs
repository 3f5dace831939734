use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;

fn build(text: &str) -> Result<(Blocklist, Summary), BlocklistError> {
    let mut builder = Builder::default();
    for line in text.lines() {
        builder.add_line(line.as_bytes())?;
    }
    builder.finish()
}

fn list(text: &str) -> Blocklist {
    let (list, summary) = build(text).unwrap();
    assert_eq!(summary.first_malformed, None);
    list
}

/// Whether the addresses of a range are blocked and both neighbours are not.
fn blocks_exactly(list: &Blocklist, [before, first, last, after]: [&str; 4]) -> bool {
    let contains = |text: &str| list.contains(text.parse().unwrap());
    contains(first) && contains(last) && !contains(before) && !contains(after)
}

#[test]
fn each_form_blocks_its_range_and_neither_neighbour() {
    let v4 = ["5.6.6.255", "5.6.7.0", "5.6.7.255", "5.6.8.0"];
    for line in [
        "Some Company, Inc:5.6.7.0-5.6.7.255",
        "A name: with - signs/and:colons:5.6.7.0-5.6.7.255",
        "005.006.007.000 - 005.006.007.255 , 000 , A name, with a comma",
        "5.6.7.0 - 5.6.7.255 , 127 , as far as blocked",
        "5.6.7.0-5.6.7.255,,no level",
        "5.6.7.0/24",
        "5.6.7.9/24 ; SBL1",
        "5.6.7.0-5.6.7.255 # a comment",
        "::ffff:5.6.7.0/120",
        "\u{feff}5.6.7.0/24\r",
    ] {
        assert!(blocks_exactly(&list(line), v4), "{line}");
    }
    let v6 = [
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
    ];
    let last = v6[2];
    for line in [
        "2001:db8::/32".to_owned(),
        format!("2001:db8::-{last}"),
        format!("2001:db8:: - {last} , 100 , a name"),
        format!("Some name:2001:db8::-{last}"),
        format!("Some name:bad:2001:db8::-{last}"),
        format!("Some name:[2001:db8::]-[{last}]"),
    ] {
        assert!(blocks_exactly(&list(&line), v6), "{line}");
    }
    let single = list("9.9.9.9");
    assert!(blocks_exactly(
        &single,
        ["9.9.9.8", "9.9.9.9", "9.9.9.9", "9.9.9.10"]
    ));
}

#[test]
fn a_level_over_127_permits_and_comments_say_nothing() {
    let text = "# comment\n; another\n// and another\n\n1.2.3.4 - 1.2.3.4 , 128 , good\n";
    let (list, summary) = build(text).unwrap();
    assert!(list.is_empty());
    assert_eq!((summary.permitted, summary.malformed), (1, 0));
}

#[test]
fn a_malformed_line_is_told_by_its_number_and_the_others_count() {
    let text = "1.2.3.0/24\nname:1.2.3.4-1.2.3.\u{202e}x\n1.2.3.0/33\n5.0.0.0-4.0.0.0\n";
    let (list, summary) = build(text).unwrap();
    assert_eq!((list.len(), summary.malformed), (1, 3));
    let first = summary.first_malformed.unwrap().to_string();
    assert!(
        first.starts_with("line 2 (name:1.2.3.4-1.2.3.") && !first.contains('\u{202e}'),
        "{first}"
    );
}

#[test]
fn each_mistake_has_its_own_words() {
    for (line, problem) in [
        ("<html>", LineError::NoAddress),
        ("name:1.2.3.256-1.2.3.4", LineError::NoAddress),
        ("1.2.3", LineError::NoAddress),
        ("1.2.3.0/33", LineError::Bits),
        ("2001:db8::/129", LineError::Bits),
        ("1.2.3.4/", LineError::Bits),
        ("1.2.3.4-2001:db8::", LineError::Families),
        ("name:1.2.3.5-1.2.3.4", LineError::Reversed),
        ("1.2.3.4 - 1.2.3.5 , 256 , x", LineError::Level),
        ("1.2.3.4 - 1.2.3.5 , x , 100", LineError::Level),
    ] {
        let Err(BlocklistError::NoValidLine(Some(malformed))) = build(line) else {
            panic!("{line} is valid")
        };
        assert_eq!((malformed.line, malformed.problem), (1, problem), "{line}");
    }
    let mut builder = Builder::default();
    builder.add_line(&[b'1'; MAX_LINE + 1]).unwrap();
    assert!(builder.finish().unwrap_err().to_string().contains("longer"));
    assert_eq!(build(""), Err(BlocklistError::NoValidLine(None)));
}

#[test]
fn ranges_that_overlap_or_touch_are_one_and_the_last_address_has_no_successor() {
    let text = "1.0.0.0-1.0.0.9\n1.0.0.10-1.0.0.20\n1.0.0.5-1.0.0.7\n255.255.255.0/24\n255.0.0.0/8\n0.0.0.0";
    let list = list(text);
    assert_eq!(list.len(), 3);
    let whole = self::list("0.0.0.0/0\n::/0\n1.2.3.4");
    assert_eq!(whole.len(), 2);
    assert!(whole.contains("255.255.255.255".parse().unwrap()));
    assert!(whole.contains("ffff::".parse().unwrap()));
}

#[test]
fn more_ranges_than_the_maximum_are_refused() {
    let mut builder = Builder::default();
    let end = u32::try_from(MAX_RANGES).unwrap();
    for number in 0..end {
        builder.add(Span::V4(number * 2, number * 2)).unwrap();
    }
    assert_eq!(
        builder.add(Span::V4(end * 2, end * 2)),
        Err(BlocklistError::TooMany)
    );
}

proptest! {
    #[test]
    fn a_list_contains_what_its_lines_contain(
        ranges in prop::collection::vec((any::<u8>(), 0..20_u8), 1..40),
    ) {
        let mut builder = Builder::default();
        let mut blocked = BTreeSet::new();
        for (first, length) in ranges {
            let last = first.saturating_add(length);
            let line = format!("x:9.9.9.{first}-9.9.9.{last}");
            builder.add_line(line.as_bytes()).unwrap();
            blocked.extend(first..=last);
        }
        let (list, _) = builder.finish().unwrap();
        for last in 0..=u8::MAX {
            let ip = Ipv4Addr::new(9, 9, 9, last);
            prop_assert_eq!(list.contains(ip.into()), blocked.contains(&last));
            prop_assert_eq!(list.contains(ip.to_ipv6_mapped().into()), blocked.contains(&last));
        }
    }

    #[test]
    fn a_block_contains_the_addresses_with_its_prefix(
        ip in any::<u128>(), bits in 0..=128_u32, other in any::<u128>(),
    ) {
        let block = Ipv6Addr::from_bits(ip);
        let list = list(&format!("{block}/{bits}"));
        let has_prefix = |other: u128| (ip ^ other).leading_zeros() >= bits;
        for other in [other, ip, !ip, ip ^ 1, ip.wrapping_add(1)] {
            let other_ip = Ipv6Addr::from_bits(other);
            prop_assert!(other_ip.to_ipv4_mapped().is_some() || block.to_ipv4_mapped().is_some()
                || list.contains(other_ip.into()) == has_prefix(other), "{}", other_ip);
        }
    }

    #[test]
    fn arbitrary_lines_are_blank_valid_or_malformed(line in any::<Vec<u8>>()) {
        let mut builder = Builder::default();
        builder.add_line(&line).unwrap();
        let Summary { blocked, permitted, malformed, .. } = builder.summary;
        prop_assert!(blocked + permitted + malformed <= 1);
    }
}
