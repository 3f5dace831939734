use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::{FileStamp, Record, RecordError, checksum, newest, set_generation, slot};
use crate::types::{Bitfield, InfoHash, InfoHashV1, InfoHashV2};

fn small() -> Record {
    Record {
        have: Bitfield::from_wire(&[0b1010_0000], 5).unwrap(),
        uploaded: u64::MAX,
        downloaded: 7,
        stamps: vec![
            FileStamp {
                size: 100,
                modified: 1 << 60,
            },
            FileStamp::default(),
        ],
        info: Some(Bytes::from_static(b"d4:name1:xe")),
        name: Some("x".to_owned()),
        trackers: vec![vec!["http://t.example/announce".to_owned()]],
        wanted: Some(vec![true, false]),
        paused: true,
        names: vec![(1, vec!["t".to_owned(), "a_b".to_owned()])],
        added: 1_700_000_000_000,
        extra: Bytes::from_static(b"{}"),
        ..Record::new(InfoHash::V1(InfoHashV1([1; 20])))
    }
}

fn info_hash() -> impl Strategy<Value = InfoHash> {
    any::<(u8, [u8; 20], [u8; 32])>().prop_map(|(kind, v1, v2)| match kind % 3 {
        0 => InfoHash::V1(InfoHashV1(v1)),
        1 => InfoHash::V2(InfoHashV2(v2)),
        _ => InfoHash::Hybrid(InfoHashV1(v1), InfoHashV2(v2)),
    })
}

fn record() -> impl Strategy<Value = Record> {
    let had = proptest::collection::vec(any::<u8>(), 0..20);
    let stamps = proptest::collection::vec(any::<(u64, u64)>(), 0..5);
    let trackers = proptest::collection::vec(proptest::collection::vec("[a-z]{0,9}", 0..3), 0..3);
    let flags = proptest::collection::vec(any::<bool>(), 0..5);
    let bytes = proptest::collection::vec(any::<u8>(), 0..20);
    let names = proptest::collection::vec(
        (any::<u32>(), proptest::collection::vec("\\PC{0,9}", 0..3)),
        0..3,
    );
    let texts = (
        proptest::option::of(bytes),
        proptest::option::of("\\PC{0,9}"),
        trackers,
        proptest::option::of(flags),
        any::<(bool, u64)>(),
        names,
        proptest::collection::vec(any::<u8>(), 0..9),
    );
    (info_hash(), had, any::<(u64, u64)>(), stamps, texts).prop_map(
        |(info_hash, had, (uploaded, downloaded), stamps, texts)| {
            let (info, name, trackers, wanted, (paused, added), names, extra) = texts;
            let have = Bitfield::from_wire(&had, u32::try_from(had.len() * 8).unwrap()).unwrap();
            let stamps = stamps
                .into_iter()
                .map(|(size, modified)| FileStamp { size, modified })
                .collect();
            Record {
                info_hash,
                have,
                uploaded,
                downloaded,
                stamps,
                info: info.map(Bytes::from),
                name,
                trackers,
                wanted,
                paused,
                names,
                added,
                extra: extra.into(),
            }
        },
    )
}

proptest! {
    #![proptest_config(Config { cases: 64, ..Config::default() })]

    #[test]
    fn a_record_is_read_as_it_was_written(record in record(), generation in any::<u64>()) {
        prop_assert_eq!(Record::decode(&record.encode(generation)), Ok((generation, record)));
    }

    #[test]
    fn arbitrary_content_under_a_right_checksum_is_an_error_and_no_panic(content in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(Record::decode(&sealed(&content)).is_err());
    }
}

/// `content` in a valid record.
fn sealed(content: &[u8]) -> Vec<u8> {
    let head = [
        &b"AQRESUME\0\x01"[..],
        &[0; 8],
        &(content.len() as u64).to_be_bytes(),
    ];
    let mut bytes = [&head.concat(), content].concat();
    bytes.extend(checksum(&bytes));
    bytes
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = small().encode(3);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Record::decode(&bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn every_cut_and_every_extra_byte_is_noticed() {
    let whole = small().encode(3);
    for length in 0..whole.len() {
        assert!(
            matches!(
                Record::decode(&whole[..length]),
                Err(RecordError::Length { .. })
            ),
            "{length} bytes"
        );
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(
        Record::decode(&longer),
        Err(RecordError::Length {
            expected: whole.len() as u64,
            received: longer.len() as u64
        })
    );
}

#[test]
fn errors_say_what_is_wrong() {
    let whole = small().encode(3);
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        Record::decode(&bytes).unwrap_err()
    };
    assert_eq!(with(0, b'X'), RecordError::Magic);
    assert_eq!(
        with(9, 2),
        RecordError::Version {
            expected: 1,
            received: 2
        }
    );
    assert_eq!(with(17, 4), RecordError::Checksum);
    assert_eq!(Record::decode(&sealed(b"de")), Err(RecordError::Content));
    assert!(matches!(
        Record::decode(&sealed(b"d")),
        Err(RecordError::Bencode(_))
    ));
}

#[test]
fn keys_of_later_versions_are_ignored() {
    let whole = small().encode(0);
    let content = &whole[26..whole.len() - 9];
    assert_eq!(
        Record::decode(&sealed(&[content, b"3:zzzi1ee"].concat())),
        Ok((0, small()))
    );
}

#[test]
fn the_newest_whole_record_of_two_is_taken_and_the_other_overwritten_next() {
    let (old, new) = (
        small().encode(8),
        Record {
            uploaded: 9,
            ..small()
        }
        .encode(9),
    );
    let generation = |a: &[u8], b: &[u8]| newest(a, b).map(|(generation, _)| generation);
    assert_eq!(
        (generation(&old, &new), generation(&new, &old)),
        (Some(9), Some(9))
    );
    assert_eq!(
        (generation(&old, &new[1..]), generation(&[], &old)),
        (Some(8), Some(8))
    );
    assert_eq!(generation(&[], &old[..40]), None);
    assert_ne!(slot(9), slot(10));
    assert_eq!(slot(8), slot(10));
}

#[test]
fn a_record_can_be_numbered_after_it_was_encoded() {
    let mut bytes = small().encode(0);
    set_generation(&mut bytes, 7);
    assert_eq!(bytes, small().encode(7));
    let mut short = vec![0; 10];
    set_generation(&mut short, 7);
    assert_eq!(short, [0; 10]);
}
