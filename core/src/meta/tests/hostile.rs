//! Torrents that must be refused, each with the exact reason, and paths that must be sanitised.

use super::{file, folder, parse, paths, single};
use crate::bencode::{BencodeError, BencodeFault, Encoded, Encoder, Limits};
use crate::meta::{Info, Metainfo, MetainfoError, NotATorrent};
use crate::types::LengthsError;

/// The error for a valid torrent with one modification.
fn spoilt(spoil: impl FnOnce(&mut Encoder)) -> MetainfoError {
    let mut info = single("a");
    spoil(&mut info);
    parse(&info).unwrap_err()
}

#[test]
fn what_is_missing_or_of_another_type_is_named() {
    let without = |key: &str| {
        let kept = ["length", "name", "piece length", "pieces"]
            .into_iter()
            .filter(|k| *k != key);
        let mut info = Encoder::new();
        for kept in kept {
            match kept {
                "length" => info.int(kept, 20_000u32),
                "piece length" => info.int(kept, 16_384u32),
                "name" => info.bytes(kept, "a"),
                _ => info.bytes(kept, [7; 40]),
            };
        }
        parse(&info).unwrap_err()
    };
    assert_eq!(without("name"), MetainfoError::Missing("name"));
    assert_eq!(without("pieces"), MetainfoError::Missing("pieces"));
    assert_eq!(
        without("piece length"),
        MetainfoError::Missing("piece length")
    );
    assert_eq!(without("length"), MetainfoError::NoContent);
    assert_eq!(Metainfo::parse(b"de"), Err(MetainfoError::Missing("info")));
    let of_type = |key, expected| MetainfoError::Type { key, expected };
    assert_eq!(
        Metainfo::parse(b"le"),
        Err(of_type("torrent", "a dictionary"))
    );
    assert_eq!(
        Metainfo::parse(b"d4:infolee"),
        Err(of_type("info", "a dictionary"))
    );
    assert_eq!(
        spoilt(|i| _ = i.int("name", 1u8)),
        of_type("name", "a string")
    );
    assert_eq!(
        spoilt(|i| _ = i.int("pieces", 1u8)),
        of_type("pieces", "a string")
    );
    assert_eq!(
        spoilt(|i| _ = i.bytes("length", "1")),
        of_type("length", "a number")
    );
    assert_eq!(
        spoilt(|i| _ = i.int("piece length", -1i8)),
        of_type("piece length", "a positive number")
    );
    assert_eq!(
        spoilt(|i| _ = i.bytes("meta version", "2")),
        of_type("meta version", "a number")
    );
    assert_eq!(
        spoilt(|i| _ = i.int("meta version", 3u8)),
        MetainfoError::Version(3)
    );
}

#[test]
fn sizes_that_make_no_torrent_are_refused_with_both_numbers() {
    assert_eq!(
        spoilt(|i| _ = i.int("piece length", 0u8)),
        MetainfoError::Lengths(LengthsError::PieceLength(0))
    );
    assert_eq!(
        spoilt(|i| _ = i.int("piece length", 536_870_913u32)),
        MetainfoError::Lengths(LengthsError::PieceLength(536_870_913))
    );
    assert_eq!(
        spoilt(|i| _ = i.int("length", 2_097_153u64 * 16_384)),
        MetainfoError::Lengths(LengthsError::TooManyPieces(2_097_153))
    );
    assert_eq!(
        spoilt(|i| _ = i.int("length", -1i8)),
        MetainfoError::NegativeSize { file: 0, size: -1 }
    );
    assert_eq!(
        spoilt(|i| _ = i.bytes("pieces", [7; 39])),
        MetainfoError::HashLength(39)
    );
    assert_eq!(
        spoilt(|i| _ = i.bytes("pieces", [7; 60])),
        MetainfoError::HashCount {
            expected: 2,
            received: 3
        }
    );
    assert_eq!(
        spoilt(|i| _ = i.bytes("pieces", "")),
        MetainfoError::HashCount {
            expected: 2,
            received: 0
        }
    );
    let huge = folder("t", [file(&["a"], i64::MAX), file(&["b"], 1)], 0);
    assert_eq!(parse(&huge), Err(MetainfoError::TotalSize));
}

#[test]
fn file_lists_that_list_no_files_are_refused() {
    let refused = |files: Vec<Encoded>| parse(&folder("t", files, 1)).unwrap_err();
    assert_eq!(refused(vec![]), MetainfoError::NoFiles);
    assert_eq!(refused(vec![file(&[], 1)]), MetainfoError::EmptyPath(0));
    assert_eq!(
        refused(vec![file(&["a"], 1), file(&["b"], -5)]),
        MetainfoError::NegativeSize { file: 1, size: -5 }
    );
    assert_eq!(
        refused(vec![file(&["x"; 101], 1)]),
        MetainfoError::DeepPath {
            file: 0,
            received: 101,
            limit: 100
        }
    );
    assert_eq!(
        refused(vec![Encoded::int(1u8)]),
        MetainfoError::Type {
            key: "files",
            expected: "a list of dictionaries"
        }
    );
    assert_eq!(
        refused(vec![Encoder::new().int("length", 1u8).into()]),
        MetainfoError::Missing("path")
    );
    assert_eq!(
        refused(vec![Encoder::new().list("path", []).into()]),
        MetainfoError::Missing("length")
    );
    let number = Encoder::new()
        .int("length", 1u8)
        .list("path", [Encoded::int(1u8)])
        .into();
    assert_eq!(
        refused(vec![number]),
        MetainfoError::Type {
            key: "path",
            expected: "a list of strings"
        }
    );
    let alike = vec![file(&["same"], 1); 501];
    assert_eq!(
        refused(alike),
        MetainfoError::SamePath {
            path: "t/same".to_owned(),
            limit: 500
        }
    );
}

#[test]
fn bencode_that_is_damaged_or_too_much_is_refused_with_its_place() {
    let refused = |bytes: &[u8]| Metainfo::parse(bytes).unwrap_err();
    let at = |at, fault| MetainfoError::Bencode(BencodeError { at, fault });
    assert_eq!(refused(b"xyz"), at(0, BencodeFault::Unexpected(b'x')));
    assert_eq!(refused(b"d4:info"), at(7, BencodeFault::End));
    assert_eq!(
        refused(b"d4:infod4:name1:a4:name1:bee"),
        at(17, BencodeFault::DuplicateKey)
    );
    assert_eq!(
        refused(&vec![b'l'; 10_000_000]),
        at(100, BencodeFault::Depth(100))
    );
    assert_eq!(
        refused(&vec![b'l'; 10_000_001]),
        at(
            10_000_000,
            BencodeFault::Bytes {
                received: 10_000_001,
                limit: 10_000_000
            }
        )
    );
    let many = [&b"l"[..], &b"i0e".repeat(3_000_000), b"e"].concat();
    assert_eq!(
        refused(&many),
        at(9_000_000 - 2, BencodeFault::Tokens(3_000_000))
    );
    let metadata = vec![b'l'; Limits::METADATA.bytes + 1];
    assert!(matches!(
        Info::parse(metadata.into()),
        Err(MetainfoError::Bencode(BencodeError {
            fault: BencodeFault::Bytes { .. },
            ..
        }))
    ));
}

#[test]
fn version_2_is_strict() {
    let v2 = |body: &[u8]| Metainfo::parse(&[b"d4:infod", body, b"ee"].concat()).unwrap_err();
    let tree = b"9:file treed1:ad0:d6:lengthi5eeee";
    let head = b"12:meta versioni2e4:name1:t";
    let unsorted = v2(&[&head[..], tree, b"12:piece lengthi16384e"].concat());
    assert!(
        matches!(
            unsorted,
            MetainfoError::NotCanonical(BencodeError {
                fault: BencodeFault::Unsorted,
                ..
            })
        ),
        "{unsorted}"
    );
    assert_eq!(
        v2(&[&tree[..], head, b"12:piece lengthi16385e"].concat()),
        MetainfoError::PieceLengthV2(16_385)
    );
    assert_eq!(
        v2(&[&tree[..], head, b"12:piece lengthi8192e"].concat()),
        MetainfoError::PieceLengthV2(8192)
    );
    assert_eq!(
        v2(&[&head[..], b"12:piece lengthi16384e"].concat()),
        MetainfoError::Missing("file tree")
    );
    assert_eq!(
        v2(&[b"9:file treede", &head[..], b"12:piece lengthi16384e"].concat()),
        MetainfoError::NoFiles
    );
    let wrong = MetainfoError::Type {
        key: "file tree",
        expected: "a tree of dictionaries",
    };
    assert_eq!(
        v2(&[b"9:file treed1:ai1ee", &head[..], b"12:piece lengthi16384e"].concat()),
        wrong
    );
}

#[test]
fn what_is_no_torrent_at_all_is_named() {
    let named = |bytes: &[u8]| match Metainfo::parse(bytes) {
        Err(MetainfoError::NotATorrent(foreign)) => foreign,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        named(include_bytes!("cases/html.torrent")),
        NotATorrent::WebPage
    );
    assert_eq!(
        named(b"\xef\xbb\xbf\r\n<?xml version"),
        NotATorrent::WebPage
    );
    assert_eq!(named(b"\x1f\x8b\x08\0"), NotATorrent::Gzip);
    assert_eq!(named(b"PK\x03\x04"), NotATorrent::Zip);
    assert_eq!(named(b"magnet:?xt=urn:btih:00"), NotATorrent::Magnet);
    assert_eq!(
        (named(b""), named(b" \n")),
        (NotATorrent::Empty, NotATorrent::Empty)
    );
    let said = MetainfoError::NotATorrent(NotATorrent::WebPage).to_string();
    assert!(
        said.starts_with("this is a web page, not a torrent; "),
        "{said}"
    );
}

#[test]
fn two_torrents_in_one_file_are_refused_and_a_copy_is_not() {
    let info = single("a").finish();
    let twice =
        |other: &[u8]| Metainfo::parse(&[b"d4:info", &info[..], b"4:info", other, b"e"].concat());
    assert_eq!(twice(&single("b").finish()), Err(MetainfoError::TwoInfos));
    assert_eq!(twice(&info).unwrap().info.raw, info);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    assert_eq!(paths(&single("..")), ["_"]);
    assert_eq!(paths(&single("/etc/passwd")), ["_etc_passwd"]);
    let evil = [
        file(&["..", "..", "etc", "passwd"], 1),
        file(&["", "x"], 1),
        file(&["..\\x"], 1),
        file(&["a/../../b"], 1),
        file(&["\0"], 1),
    ];
    let expected = [
        "_/_/_/etc/passwd",
        "_/x",
        "_/.._x",
        "_/a_.._.._b",
        "_/_ (1)",
    ];
    assert_eq!(
        paths(&folder("../", evil, 5)),
        expected.map(|p| p.replacen("_/", ".._/", 1))
    );
}

#[test]
fn messages_make_foreign_paths_visible() {
    let error = MetainfoError::SamePath {
        path: "a\u{202e}b\x1b".to_owned(),
        limit: 500,
    };
    assert_eq!(
        error.to_string(),
        "more than 500 files have the path a\\u{202e}b\\u{1b}"
    );
}
