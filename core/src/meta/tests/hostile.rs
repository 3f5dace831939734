//! Torrents that must be refused, each with the exact reason, and paths that must be made harmless.

use super::{file, folder, parse, paths, single, torrent};
use crate::bencode::{BencodeError, BencodeFault, Encoded, Encoder, Limits};
use crate::meta::{Info, Metainfo, MetainfoError};
use crate::types::LengthsError;

/// One thing changed in a torrent that is right otherwise.
fn spoilt(spoil: impl FnOnce(&mut Encoder)) -> MetainfoError {
    let mut info = single("a");
    spoil(&mut info);
    parse(&info).unwrap_err()
}

#[test]
fn what_is_missing_or_of_another_type_is_named() {
    let without = |key: &str| {
        let kept = ["length", "name", "piece length", "pieces"].into_iter().filter(|k| *k != key);
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
    assert_eq!(without("piece length"), MetainfoError::Missing("piece length"));
    assert_eq!(without("length"), MetainfoError::NoContent);
    assert_eq!(Metainfo::parse(b"de"), Err(MetainfoError::Missing("info")));
    let of_type = |key, expected| MetainfoError::Type { key, expected };
    assert_eq!(Metainfo::parse(b"le"), Err(of_type("torrent", "a dictionary")));
    assert_eq!(Metainfo::parse(b"d4:infolee"), Err(of_type("info", "a dictionary")));
    assert_eq!(spoilt(|i| _ = i.int("name", 1u8)), of_type("name", "a string"));
    assert_eq!(spoilt(|i| _ = i.int("pieces", 1u8)), of_type("pieces", "a string"));
    assert_eq!(spoilt(|i| _ = i.bytes("length", "1")), of_type("length", "a number"));
    assert_eq!(spoilt(|i| _ = i.int("piece length", -1i8)), of_type("piece length", "a positive number"));
    assert_eq!(spoilt(|i| _ = i.bytes("meta version", "2")), of_type("meta version", "a number"));
    assert_eq!(spoilt(|i| _ = i.int("meta version", 3u8)), MetainfoError::Version(3));
    assert_eq!(spoilt(|i| _ = i.list("files", [file(&["a"], 1)])), MetainfoError::SingleAndMulti);
}

#[test]
fn sizes_that_make_no_torrent_are_refused_with_both_numbers() {
    assert_eq!(spoilt(|i| _ = i.int("piece length", 0u8)), MetainfoError::Lengths(LengthsError::PieceLength(0)));
    assert_eq!(spoilt(|i| _ = i.int("piece length", 536_870_913u32)), MetainfoError::Lengths(LengthsError::PieceLength(536_870_913)));
    assert_eq!(spoilt(|i| _ = i.int("length", 2_097_153u64 * 16_384)), MetainfoError::Lengths(LengthsError::TooManyPieces(2_097_153)));
    assert_eq!(spoilt(|i| _ = i.int("length", -1i8)), MetainfoError::NegativeSize { file: 0, size: -1 });
    assert_eq!(spoilt(|i| _ = i.bytes("pieces", [7; 39])), MetainfoError::HashLength(39));
    assert_eq!(spoilt(|i| _ = i.bytes("pieces", [7; 60])), MetainfoError::HashCount { expected: 2, received: 3 });
    assert_eq!(spoilt(|i| _ = i.bytes("pieces", "")), MetainfoError::HashCount { expected: 2, received: 0 });
    let huge = folder("t", [file(&["a"], i64::MAX), file(&["b"], 1)], 0);
    assert_eq!(parse(&huge), Err(MetainfoError::TotalSize));
}

#[test]
fn file_lists_that_list_no_files_are_refused() {
    let refused = |files: Vec<Encoded>| parse(&folder("t", files, 1)).unwrap_err();
    assert_eq!(refused(vec![]), MetainfoError::NoFiles);
    assert_eq!(refused(vec![file(&[], 1)]), MetainfoError::EmptyPath(0));
    assert_eq!(refused(vec![file(&["a"], 1), file(&["b"], -5)]), MetainfoError::NegativeSize { file: 1, size: -5 });
    assert_eq!(refused(vec![file(&["x"; 101], 1)]), MetainfoError::DeepPath { file: 0, received: 101, limit: 100 });
    assert_eq!(refused(vec![Encoded::int(1u8)]), MetainfoError::Type { key: "files", expected: "a list of dictionaries" });
    assert_eq!(refused(vec![Encoder::new().int("length", 1u8).into()]), MetainfoError::Missing("path"));
    assert_eq!(refused(vec![Encoder::new().list("path", []).into()]), MetainfoError::Missing("length"));
    let number = Encoder::new().int("length", 1u8).list("path", [Encoded::int(1u8)]).into();
    assert_eq!(refused(vec![number]), MetainfoError::Type { key: "path", expected: "a list of strings" });
    let alike = vec![file(&["same"], 1); 501];
    assert_eq!(refused(alike), MetainfoError::SamePath { path: "t/same".to_owned(), limit: 500 });
}

#[test]
fn bencode_that_is_damaged_or_too_much_is_refused_with_its_place() {
    let refused = |bytes: &[u8]| Metainfo::parse(bytes).unwrap_err();
    let at = |at, fault| MetainfoError::Bencode(BencodeError { at, fault });
    assert_eq!(refused(b"<html>"), at(0, BencodeFault::Unexpected(b'<')));
    assert_eq!(refused(b""), at(0, BencodeFault::End));
    assert_eq!(refused(b"d4:infod4:name1:a4:name1:bee"), at(17, BencodeFault::DuplicateKey));
    assert_eq!(refused(&vec![b'l'; 10_000_000]), at(100, BencodeFault::Depth(100)));
    assert_eq!(refused(&vec![b'l'; 10_000_001]), at(10_000_000, BencodeFault::Bytes { received: 10_000_001, limit: 10_000_000 }));
    let many = [&b"l"[..], &b"i0e".repeat(3_000_000), b"e"].concat();
    assert_eq!(refused(&many), at(9_000_000 - 2, BencodeFault::Tokens(3_000_000)));
    let mut trailing = torrent(&single("a"));
    let end = trailing.len();
    trailing.push(b'\n');
    assert_eq!(refused(&trailing), at(end, BencodeFault::Trailing(1)));
    let metadata = vec![b'l'; Limits::METADATA.bytes + 1];
    assert!(matches!(Info::parse(metadata.into()), Err(MetainfoError::Bencode(BencodeError { fault: BencodeFault::Bytes { .. }, .. }))));
}

#[test]
fn version_2_is_strict() {
    let v2 = |body: &[u8]| Metainfo::parse(&[b"d4:infod", body, b"ee"].concat()).unwrap_err();
    let tree = b"9:file treed1:ad0:d6:lengthi5eeee";
    let head = b"12:meta versioni2e4:name1:t";
    let unsorted = v2(&[&head[..], tree, b"12:piece lengthi16384e"].concat());
    assert!(matches!(unsorted, MetainfoError::NotCanonical(BencodeError { fault: BencodeFault::Unsorted, .. })), "{unsorted}");
    assert_eq!(v2(&[&tree[..], head, b"12:piece lengthi16385e"].concat()), MetainfoError::PieceLengthV2(16_385));
    assert_eq!(v2(&[&tree[..], head, b"12:piece lengthi8192e"].concat()), MetainfoError::PieceLengthV2(8192));
    assert_eq!(v2(&[&head[..], b"12:piece lengthi16384e"].concat()), MetainfoError::Missing("file tree"));
    assert_eq!(v2(&[b"9:file treede", &head[..], b"12:piece lengthi16384e"].concat()), MetainfoError::NoFiles);
    let wrong = MetainfoError::Type { key: "file tree", expected: "a tree of dictionaries" };
    assert_eq!(v2(&[b"9:file treed1:ai1ee", &head[..], b"12:piece lengthi16384e"].concat()), wrong);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    assert_eq!(paths(&single("..")), ["_"]);
    assert_eq!(paths(&single("/etc/passwd")), ["_etc_passwd"]);
    let evil = [file(&["..", "..", "etc", "passwd"], 1), file(&["", "x"], 1), file(&["C:\\x"], 1), file(&["a/../../b"], 1), file(&["nul"], 1)];
    let expected = ["_/_/_/etc/passwd", "_/_/x", "_/C__x", "_/a_.._.._b", "_/_nul"];
    assert_eq!(paths(&folder("../", evil, 5)), expected.map(|p| p.replacen("_/", ".._/", 1)));
}

#[test]
fn messages_make_foreign_paths_visible() {
    let error = MetainfoError::SamePath { path: "a\u{202e}b\x1b".to_owned(), limit: 500 };
    assert_eq!(error.to_string(), "more than 500 files have the path a\\u{202e}b\\u{1b}");
}
