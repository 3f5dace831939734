use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{BencodeFault, Encoded, Encoder, Form, Limits, Value, scan, scan_prefix};

fn fault(bytes: impl AsRef<[u8]>) -> (usize, BencodeFault) {
    let error = scan(bytes.as_ref(), Limits::MESSAGE).unwrap_err();
    (error.at, error.fault)
}

#[test]
fn every_fault_is_named_with_its_place() {
    let cases: [(&[u8], usize, BencodeFault); 32] = [
        (b"", 0, BencodeFault::End),
        (b"i", 1, BencodeFault::End),
        (b"i1", 2, BencodeFault::End),
        (b"l", 1, BencodeFault::End),
        (b"d1:a", 4, BencodeFault::End),
        (b"5", 1, BencodeFault::End),
        (b"e", 0, BencodeFault::Unexpected(b'e')),
        (b"x", 0, BencodeFault::Unexpected(b'x')),
        (b"li1ex", 4, BencodeFault::Unexpected(b'x')),
        (b"-1:a", 0, BencodeFault::Unexpected(b'-')),
        (b"ie", 0, BencodeFault::Integer),
        (b"i-e", 0, BencodeFault::Integer),
        (b"i-0e", 0, BencodeFault::Integer),
        (b"i00e", 0, BencodeFault::Integer),
        (b"i01e", 0, BencodeFault::Integer),
        (b"i-01e", 0, BencodeFault::Integer),
        (b"i+1e", 0, BencodeFault::Integer),
        (b"i1.5e", 0, BencodeFault::Integer),
        (b"i 1e", 0, BencodeFault::Integer),
        (b"li1ei9223372036854775808ee", 4, BencodeFault::IntegerRange),
        (b"i-9223372036854775809e", 0, BencodeFault::IntegerRange),
        (b"01:a", 0, BencodeFault::Length),
        (b"1a", 0, BencodeFault::Length),
        (b"99999999999999999999999:a", 0, BencodeFault::Length),
        (
            b"2:a",
            0,
            BencodeFault::Overrun {
                declared: 2,
                left: 1,
            },
        ),
        (
            b"18446744073709551615:a",
            0,
            BencodeFault::Overrun {
                declared: u64::MAX,
                left: 1,
            },
        ),
        (b"di1ei2ee", 1, BencodeFault::Key),
        (b"dlei2ee", 1, BencodeFault::Key),
        (b"d1:ae", 4, BencodeFault::NoValue),
        (b"d1:ai1e1:ai2ee", 7, BencodeFault::DuplicateKey),
        (b"i1ei2e", 3, BencodeFault::Trailing(3)),
        (b"0:0:", 2, BencodeFault::Trailing(2)),
    ];
    for (bytes, at, expected) in cases {
        assert_eq!(fault(bytes), (at, expected), "{}", bytes.escape_ascii());
    }
}

#[test]
fn equal_keys_are_found_wherever_they_stand() {
    assert!(scan(b"d1:bi1e1:ai2ee", Limits::MESSAGE).is_ok());
    assert_eq!(fault(b"d1:bi1e1:ai2e1:bi3ee").1, BencodeFault::DuplicateKey);
    assert_eq!(
        fault(b"d1:xd1:bi1e1:ai2e1:ci1e1:bi3eee").1,
        BencodeFault::DuplicateKey
    );
    assert!(
        scan(b"d1:ad1:ai1ee1:bd1:ai1eee", Limits::MESSAGE).is_ok(),
        "the same key in different dictionaries"
    );
}

#[test]
fn unsorted_keys_are_refused_where_order_is_asked_for() {
    let error = scan(b"d1:bi1e1:ai2ee", Limits::MESSAGE.canonical()).unwrap_err();
    assert_eq!((error.at, error.fault), (7, BencodeFault::Unsorted));
    assert!(scan(b"d1:ai1e2:aai2e1:bi3ee", Limits::MESSAGE.canonical()).is_ok());
}

#[test]
fn each_form_accepts_a_little_more_than_the_one_before() {
    let forms = [
        Form::Canonical,
        Form::Unsorted,
        Form::Loose,
        Form::Repeating,
    ];
    let cases: [(&[u8], Form); 7] = [
        (b"d1:ai0e1:bi2ee", Form::Canonical),
        (b"d1:bi1e1:ai2ee", Form::Unsorted),
        (b"i-0e", Form::Loose),
        (b"i-007e", Form::Loose),
        (b"d01:ai00ee", Form::Loose),
        (b"d1:ai1e1:ai2ee", Form::Repeating),
        (b"d1:bi1e1:ai2e1:bi3ee", Form::Repeating),
    ];
    for (bytes, needed) in cases {
        for form in forms {
            assert_eq!(
                scan(
                    bytes,
                    Limits {
                        form,
                        ..Limits::MESSAGE
                    }
                )
                .is_ok(),
                form >= needed,
                "{} in {form:?}",
                bytes.escape_ascii()
            );
        }
    }
    for bytes in [&b"ie"[..], b"i-e", b"i+1e", b"i1.5e", b":a"] {
        assert!(
            scan(bytes, Limits::TORRENT).is_err(),
            "{}",
            bytes.escape_ascii()
        );
    }
    let twice = scan(b"d1:ai1e1:ai2ee", Limits::TORRENT)
        .unwrap()
        .as_dict()
        .unwrap();
    assert_eq!(
        (
            twice.num::<u8>("a"),
            twice.gather(["a"])[0].and_then(Value::as_int)
        ),
        (Some(1), Some(1)),
        "the first one counts"
    );
    assert_eq!(scan(b"i-007e", Limits::TORRENT).unwrap().as_int(), Some(-7));
}

#[test]
fn depth_tokens_and_bytes_are_bounded_exactly() {
    let nested = |n: usize| [vec![b'l'; n], vec![b'e'; n]].concat();
    assert!(scan(&nested(100), Limits::MESSAGE).is_ok());
    assert_eq!(fault(nested(101)), (100, BencodeFault::Depth(100)));
    let flat = |n: usize| [b"l".to_vec(), b"0:".repeat(n), b"e".to_vec()].concat();
    assert!(scan(&flat(9_999), Limits::MESSAGE).is_ok());
    assert_eq!(fault(flat(10_000)), (19_999, BencodeFault::Tokens(10_000)));
    let small = Limits {
        bytes: 4,
        ..Limits::MESSAGE
    };
    assert!(scan(b"2:ab", small).is_ok());
    assert_eq!(
        scan(b"3:abc", small).unwrap_err().fault,
        BencodeFault::Bytes {
            received: 5,
            limit: 4
        }
    );
}

#[test]
fn ten_megabytes_of_open_lists_are_refused_after_a_hundred_and_one_bytes() {
    let bytes = vec![b'l'; Limits::TORRENT.bytes];
    let (error, took) = timed(|| scan(&bytes, Limits::TORRENT).unwrap_err());
    assert_eq!((error.at, error.fault), (100, BencodeFault::Depth(100)));
    assert!(took < Duration::from_millis(50), "{took:?}");
}

/// The duration of `work`. Requirements state times, so these tests read a clock, which the engine
/// itself never does. Where the system provides it, this is processor time, so that a busy machine
/// does not fail a test.
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "bounds of the requirements are in milliseconds"
)]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let on_processor = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
    };
    let (start, before) = (std::time::Instant::now(), on_processor());
    let done = work();
    let spent = on_processor()
        .zip(before)
        .map(|(after, before)| after - before);
    (done, spent.unwrap_or_else(|| start.elapsed()))
}

#[test]
fn what_follows_a_dictionary_is_handed_back() {
    let (value, rest) = scan_prefix(b"d1:ai1eepayload", Limits::MESSAGE).unwrap();
    assert_eq!((value.raw(), rest), (&b"d1:ai1ee"[..], &b"payload"[..]));
    let bound = Limits {
        bytes: 8,
        ..Limits::MESSAGE
    };
    assert!(
        scan_prefix(b"d1:ai1eepayload", bound).is_ok(),
        "the bound is on the value alone"
    );
}

#[test]
fn a_cursor_reads_every_shape() {
    let bytes = b"d1:ai-7e1:bl2:xyi3ee1:cd1:k1:ve1:d2:\xff\xfee";
    let dict = scan(bytes, Limits::MESSAGE).unwrap().as_dict().unwrap();
    assert_eq!(dict.num::<i64>("a"), Some(-7));
    assert_eq!(dict.num::<u64>("a"), None, "a negative number does not fit");
    assert_eq!(dict.str("b"), None, "a list is no string");
    let items: Vec<_> = dict.list("b").unwrap().collect();
    assert_eq!(
        (items[0].as_str(), items[1].as_int(), items.len()),
        (Some("xy"), Some(3), 2)
    );
    assert_eq!(dict.dict("c").unwrap().bytes("k"), Some(&b"v"[..]));
    assert_eq!(
        (dict.bytes("d"), dict.str("d")),
        (Some(&b"\xff\xfe"[..]), None)
    );
    assert_eq!(dict.get("b").unwrap().raw(), b"l2:xyi3ee");
    assert!(dict.get("e").is_none());
    assert_eq!(
        dict.iter().map(|(key, _)| key[0]).collect::<Vec<_>>(),
        b"abcd"
    );
}

#[test]
fn a_part_is_read_as_a_serde_type() {
    let value = scan(b"ll1:ael1:b1:cee", Limits::MESSAGE).unwrap();
    assert_eq!(
        value.typed::<Vec<Vec<String>>>().unwrap(),
        [vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]]
    );
    assert_eq!(value.typed::<i64>(), None);
}

#[test]
fn keys_leave_the_encoder_sorted() {
    let mut inner = Encoder::new();
    inner.bytes("z", "").int("a", i64::MIN);
    let bytes = Encoder::new()
        .put("m", &inner)
        .list("l", [Encoded::int(1u8), Encoded::bytes("x")])
        .int("i", u32::MAX)
        .finish();
    assert_eq!(
        bytes,
        b"d1:ii4294967295e1:lli1e1:xe1:md1:ai-9223372036854775808e1:z0:ee"
    );
}

fn arbitrary_value() -> impl Strategy<Value = Encoded> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Encoded::int),
        vec(any::<u8>(), 0..12).prop_map(Encoded::bytes)
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let dict = btree_map(vec(any::<u8>(), 0..4), inner.clone(), 0..6).prop_map(|entries| {
            let mut dict = Encoder::new();
            for (key, value) in entries {
                dict.put(key, value);
            }
            Encoded::from(&dict)
        });
        prop_oneof![vec(inner, 0..6).prop_map(Encoded::list), dict]
    })
}

/// Bytes that are similar enough to bencode to pass the first checks.
fn almost_bencode() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b'l'),
        Just(b'd'),
        Just(b'e'),
        Just(b'i'),
        Just(b':'),
        Just(b'-'),
        b'0'..=b'3',
        any::<u8>()
    ];
    vec(byte, 0..64)
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..proptest::prelude::ProptestConfig::with_cases(256) })]

    #[test]
    fn what_the_encoder_writes_is_accepted_strictly_and_as_serde_sees_it(value in arbitrary_value()) {
        let bytes = value.into_bytes();
        let scanned = scan(&bytes, Limits::MESSAGE.canonical()).unwrap();
        let by_serde: serde_bencode::value::Value = scanned.typed().unwrap();
        prop_assert_eq!(serde_bencode::to_bytes(&by_serde).unwrap(), bytes);
    }

    #[test]
    fn a_value_cut_anywhere_is_refused(value in arbitrary_value(), cut in any::<proptest::sample::Index>()) {
        let bytes = value.into_bytes();
        prop_assert!(scan(&bytes[..cut.index(bytes.len())], Limits::MESSAGE).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_what_is_accepted_can_be_walked(bytes in almost_bencode()) {
        if let Ok((value, rest)) = scan_prefix(&bytes, Limits::MESSAGE) {
            prop_assert_eq!(value.raw().len() + rest.len(), bytes.len());
            let items: usize = value.as_list().into_iter().flatten().map(|item| item.raw().len()).sum();
            let entries: usize = value.as_dict().into_iter().flatten().map(|(k, v)| k.len() + 1 + k.len().to_string().len() + v.raw().len()).sum();
            let shapes = [value.as_int().is_some(), value.as_bytes().is_some(), value.as_list().is_some(), value.as_dict().is_some()];
            prop_assert_eq!(shapes.iter().filter(|s| **s).count(), 1);
            if shapes[2] || shapes[3] {
                prop_assert_eq!(items + entries + 2, value.raw().len());
            }
        }
    }
}
