use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{file, folder, parse, paths, sha1, single, torrent, with_attr};
use crate::bencode::tests::timed;
use crate::bencode::{Encoded, Encoder};
use crate::meta::{Info, Metainfo, MetainfoError};
use crate::types::{InfoHash, InfoHashV1, InfoHashV2, PieceDigest};

#[test]
fn a_single_file_is_read() {
    let raw = single("movie.mkv")
        .int("private", 1u8)
        .bytes("source", "tracker")
        .finish();
    let metainfo = Metainfo::parse(
        &Encoder::new()
            .put("info", Encoded::raw(raw.clone()))
            .finish(),
    )
    .unwrap();
    let info = &metainfo.info;
    assert_eq!(info.info_hash, InfoHash::V1(InfoHashV1(sha1(&raw))));
    assert_eq!(
        (
            info.name.as_str(),
            info.multi,
            info.private,
            info.source.as_deref()
        ),
        ("movie.mkv", false, true, Some("tracker"))
    );
    assert_eq!(
        (
            info.lengths.total(),
            info.lengths.pieces(),
            info.raw.as_ref()
        ),
        (20_000, 2, &raw[..])
    );
    assert_eq!(
        info.files
            .iter()
            .map(|f| (f.path.join("/"), f.offset, f.size))
            .collect::<Vec<_>>(),
        [("movie.mkv".to_owned(), 0, 20_000)]
    );
    assert_eq!(
        info.piece_digest(info.lengths.piece(1).unwrap()),
        Some(PieceDigest::V1([7; 20]))
    );
    assert_eq!(
        Info::parse(Bytes::from(raw)).unwrap(),
        **info,
        "metadata from peers are read the same way"
    );
}

#[test]
fn a_folder_is_read_and_its_files_are_contiguous() {
    let info = folder(
        "album",
        [
            file(&["cd1", "a"], 10_000),
            file(&["cd1", "b"], 0),
            file(&["c"], 30_000),
        ],
        40_000,
    );
    let info = parse(&info).unwrap().info;
    let seen: Vec<_> = info
        .files
        .iter()
        .map(|f| (f.path.join("/"), f.offset, f.size))
        .collect();
    assert_eq!(
        seen,
        [
            ("album/cd1/a".to_owned(), 0, 10_000),
            ("album/cd1/b".to_owned(), 10_000, 0),
            ("album/c".to_owned(), 10_000, 30_000)
        ]
    );
    let spans: Vec<_> = info
        .layout(9_000, 2_000)
        .map(|s| (s.file, s.at, s.range))
        .collect();
    assert_eq!(spans, [(0, 9_000, 0..1_000), (2, 0, 1_000..2_000)]);
}

#[test]
fn the_info_hash_is_that_of_the_bytes_as_they_came() {
    let raw =
        b"d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa7:unknownlee";
    let unsorted =
        b"d4:name1:a6:lengthi1e6:pieces20:aaaaaaaaaaaaaaaaaaaa12:piece lengthi16384e7:unknownlee";
    for raw in [&raw[..], unsorted] {
        let metainfo = Metainfo::parse(&[b"d4:info", raw, b"e"].concat()).unwrap();
        assert_eq!(metainfo.info.info_hash, InfoHash::V1(InfoHashV1(sha1(raw))));
        assert_eq!(metainfo.info.raw, raw);
    }
}

#[test]
fn pads_are_known_by_attribute_and_by_their_old_name() {
    let old = "_____padding_file_0_if you see this file, please update";
    let pads = [
        file(&["a"], 10),
        with_attr(&[".pad", "6"], 6, "p"),
        file(&["b"], 10),
        with_attr(&[".pad", "6"], 6, "xp"),
        file(&[old], 5),
    ];
    let info = parse(&folder("t", pads, 37)).unwrap().info;
    assert_eq!(
        info.files.iter().map(|f| f.pad).collect::<Vec<_>>(),
        [false, true, false, true, true]
    );
    assert_eq!(
        info.files[1].path, info.files[3].path,
        "pads are never written, so they may be alike"
    );
}

#[test]
fn a_symbolic_link_has_no_bytes_and_is_not_made() {
    let link = Encoder::new()
        .int("length", 99u8)
        .bytes("attr", "l")
        .put("path", Encoded::list([Encoded::bytes("link")]))
        .put("symlink path", Encoded::list([Encoded::bytes("..")]))
        .into();
    let info = parse(&folder("t", [link, file(&["link"], 10)], 10))
        .unwrap()
        .info;
    assert_eq!(
        info.files
            .iter()
            .map(|f| (f.pad, f.offset, f.size))
            .collect::<Vec<_>>(),
        [(true, 0, 0), (false, 0, 10)]
    );
}

#[test]
fn names_in_utf8_win_over_names_in_a_code_page() {
    let entry = Encoder::new()
        .int("length", 1u8)
        .put("path", Encoded::list([Encoded::bytes(b"\xe9")]))
        .put("path.utf-8", Encoded::list([Encoded::bytes("é")]))
        .into();
    let info = folder("caf?", [entry], 1)
        .bytes("name.utf-8", "café")
        .clone();
    assert_eq!(paths(&info), ["café/é"]);
}

#[test]
fn trackers_come_in_tiers_and_announce_only_alone() {
    let tiers = |list: Option<&[u8]>, announce: Option<&str>| {
        let mut dict = Encoder::new();
        dict.put("info", &single("a"));
        list.iter()
            .for_each(|list| _ = dict.put("announce-list", Encoded::raw(*list)));
        announce
            .iter()
            .for_each(|url| _ = dict.bytes("announce", url));
        Metainfo::parse(&dict.finish()).unwrap().trackers
    };
    assert_eq!(
        tiers(Some(b"ll3:x:13:x:2el3:y:1ee"), Some("z:1")),
        [vec!["x:1", "x:2"], vec!["y:1"]]
    );
    assert_eq!(
        tiers(Some(b"l3:x:13:y:1e"), None),
        [["x:1"], ["y:1"]],
        "a flat list is a tier each"
    );
    assert_eq!(
        tiers(Some(b"llel0:ee"), Some("z:1")),
        [["z:1"]],
        "an empty list is none"
    );
    assert_eq!(
        tiers(Some(b"i5e"), Some(" z:1\n")),
        [["z:1"]],
        "nor is a number"
    );
    assert_eq!(
        tiers(
            Some(b"li5eli6e3:x:1d1:ai1eel3:x:9ee3:y:1d1:ai1eelli7eeee"),
            Some("z:1")
        ),
        [["x:1"], ["y:1"]],
        "what is no text is skipped, alone"
    );
    assert!(tiers(None, None).is_empty());
    let many = Encoded::list((0..300).map(|n| Encoded::list([Encoded::bytes(format!("x:{n}"))])))
        .into_bytes();
    assert_eq!(tiers(Some(&many), None).len(), 200);
    let endless = [b"l", &b"3:x:1".repeat(220_000)[..], b"e"].concat();
    assert_eq!(
        tiers(Some(&endless), Some("z:1")),
        [["z:1"]],
        "over 1 MiB is nothing that anyone meant"
    );
}

#[test]
fn what_stands_beside_info_is_read_and_may_be_odd() {
    let mut dict = Encoder::new();
    dict.put("info", &single("a"))
        .bytes("comment", b"caf\xe9")
        .bytes("created by", "me")
        .int("creation date", 1_700_000_000u32);
    dict.list(
        "url-list",
        [Encoded::bytes("http://a/"), Encoded::bytes("")],
    );
    let read = Metainfo::parse(&dict.finish()).unwrap();
    assert_eq!(
        (
            read.comment.as_deref(),
            read.created_by.as_deref(),
            read.created
        ),
        (Some("caf\u{fffd}"), Some("me"), Some(1_700_000_000))
    );
    assert_eq!(read.web_seeds, ["http://a/"]);
    dict.bytes("url-list", "http://b/")
        .int("comment", 3u8)
        .bytes("creation date", "yesterday");
    let odd = Metainfo::parse(&dict.finish()).unwrap();
    assert_eq!(
        (odd.web_seeds, odd.comment, odd.created),
        (vec!["http://b/".to_owned()], None, None)
    );
    dict.put("url-list", Encoded::raw(b"li5e9:http://c/le9:http://d/e"));
    let mixed = Metainfo::parse(&dict.finish()).unwrap();
    assert_eq!(mixed.web_seeds, ["http://c/", "http://d/"]);
}

#[test]
fn an_empty_file_makes_a_torrent_without_pieces() {
    let info = Encoder::new()
        .bytes("name", "empty")
        .int("length", 0u8)
        .int("piece length", 16_384u32)
        .bytes("pieces", "")
        .clone();
    assert_eq!(parse(&info).unwrap().info.lengths.pieces(), 0);
}

/// Adds a `file tree` with `a` and `b/c` in the folder `t`.
fn tree(info: &mut Encoder) {
    let leaf = |length: u32| {
        Encoded::from(
            Encoder::new().put(
                "",
                Encoder::new()
                    .int("length", length)
                    .bytes("pieces root", [1; 32]),
            ),
        )
    };
    let inner = Encoded::from(Encoder::new().put("c", leaf(5)));
    info.int("meta version", 2u8).put(
        "file tree",
        Encoder::new().put("a", leaf(20_000)).put("b", inner),
    );
}

#[test]
fn a_hybrid_torrent_is_read_as_v1_and_knows_both_hashes() {
    let mut info = folder(
        "t",
        [
            file(&["a"], 20_000),
            with_attr(&[".pad", "12768"], 12_768, "p"),
            file(&["b", "c"], 5),
        ],
        32_773,
    );
    tree(&mut info);
    let (raw, read) = (info.finish(), parse(&info).unwrap().info);
    assert_eq!(
        read.info_hash,
        InfoHash::Hybrid(
            InfoHashV1(sha1(&raw)),
            InfoHashV2(Sha256::digest(&raw).into())
        )
    );
    assert_eq!((read.files.len(), read.lengths.pieces()), (3, 3));
}

#[test]
fn a_hybrid_torrent_whose_halves_differ_is_refused() {
    let mut info = folder("t", [file(&["a"], 20_000), file(&["b", "d"], 5)], 20_005);
    tree(&mut info);
    assert_eq!(parse(&info), Err(MetainfoError::Hybrid));
}

#[test]
fn a_v2_torrent_is_read_as_far_as_its_files() {
    let mut info = Encoder::new();
    info.bytes("name", "t").int("piece length", 16_384u32);
    tree(&mut info);
    let read = parse(&info).unwrap().info;
    assert_eq!(
        read.info_hash,
        InfoHash::V2(InfoHashV2(Sha256::digest(info.finish()).into()))
    );
    let seen: Vec<_> = read
        .files
        .iter()
        .map(|f| (f.path.join("/"), f.offset, f.size))
        .collect();
    assert_eq!(
        seen,
        [
            ("t/a".to_owned(), 0, 20_000),
            ("t/b/c".to_owned(), 32_768, 5)
        ],
        "every file begins a piece"
    );
    assert_eq!(
        (read.lengths.pieces(), read.pieces.len(), read.multi),
        (3, 0, true)
    );
    assert_eq!(
        (read.size(), read.lengths.total()),
        (20_005, 32_773),
        "the gap between the files is no content"
    );
}

#[test]
fn a_v2_torrent_of_one_file_is_no_folder() {
    let leaf = Encoded::from(Encoder::new().put("", Encoder::new().int("length", 5u8)));
    let mut info = Encoder::new();
    info.bytes("name", "a")
        .int("piece length", 16_384u32)
        .int("meta version", 2u8)
        .put("file tree", Encoder::new().put("a", leaf));
    let read = parse(&info).unwrap().info;
    assert_eq!(
        (read.files[0].path.join("/"), read.multi),
        ("a".to_owned(), false)
    );
}

#[test]
fn a_torrent_written_again_is_the_same_torrent() {
    let mut dict = Encoder::new();
    dict.put("info", &single("a"))
        .bytes("comment", "c")
        .int("creation date", 1u8)
        .bytes("url-list", "http://b/");
    dict.put("announce-list", Encoded::raw(b"ll3:x:13:x:2el3:y:1ee"));
    let read = Metainfo::parse(&dict.finish()).unwrap();
    assert_eq!(Metainfo::parse(&read.to_bytes()).unwrap(), read);
}

#[test]
fn a_hundred_thousand_files_load_within_two_seconds() {
    let files = (0..100_000).map(|n| {
        file(
            &[
                &format!("folder {}", n / 100),
                &format!("file number {n}.dat"),
            ],
            1_000,
        )
    });
    let bytes = torrent(&folder("many", files, 100_000_000));
    let (read, took) = timed(|| Metainfo::parse(&bytes).unwrap());
    assert_eq!(read.info.files.len(), 100_000);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Each of these was refused once, although its `info` dictionary is valid and other clients accept
/// it.
#[test]
fn what_makers_and_sites_get_wrong_around_a_torrent_is_forgiven() {
    let read = |file: &[u8]| Metainfo::parse(file).unwrap();
    let cut_out = |file: &[u8], from: usize, to_end: usize| sha1(&file[from..file.len() - to_end]);
    let hash = |metainfo: &Metainfo| metainfo.info.info_hash.v1().unwrap().0;

    let file = include_bytes!("cases/trailing-nl.torrent");
    assert_eq!(
        hash(&read(file)),
        cut_out(file, 7, 2),
        "the line break belongs to nothing"
    );
    let file = include_bytes!("cases/neg-zero.torrent");
    assert_eq!(
        (hash(&read(file)), read(file).info.private),
        (cut_out(file, 7, 1), false)
    );
    let file = include_bytes!("cases/outer-dupkey2.torrent");
    assert_eq!(
        (hash(&read(file)), read(file).trackers),
        (
            cut_out(file, 83, 1),
            vec![vec!["http://a.example/announce".to_owned()]]
        )
    );
    let file = include_bytes!("cases/both-length-files.torrent");
    let both = read(file);
    assert_eq!(
        (
            hash(&both),
            both.info.multi,
            both.info.files[0].path.join("/")
        ),
        (cut_out(file, 7, 1), true, "x/a".to_owned())
    );
}

#[test]
fn numbers_with_leading_zeros_are_read_in_v1_and_refused_in_v2() {
    let v1 = Metainfo::parse(
        b"d4:infod6:lengthi005e4:name01:a12:piece lengthi016384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
    )
    .unwrap();
    assert_eq!((v1.info.lengths.total(), v1.info.name.as_str()), (5, "a"));
    assert_eq!(
        Info::parse(v1.info.raw.clone()).unwrap(),
        *v1.info,
        "from peers, too"
    );
    let v2 = b"d4:infod9:file treed1:ad0:d6:lengthi05eeee12:meta versioni2e4:name1:a12:piece lengthi16384eee";
    assert!(matches!(
        Metainfo::parse(v2),
        Err(MetainfoError::NotCanonical(_))
    ));
}

#[test]
fn empty_components_are_left_out_as_others_do() {
    let files = [
        file(&["", "a"], 1),
        file(&["b", "", "c"], 1),
        file(&["d", ""], 1),
        file(&[""], 1),
    ];
    assert_eq!(
        paths(&folder("t", files, 4)),
        ["t/a", "t/b/c", "t/d", "t/_"]
    );
}

#[test]
fn a_name_in_utf8_that_is_none_is_as_good_as_absent() {
    let entry = Encoder::new()
        .int("length", 1u8)
        .put("path", Encoded::list([Encoded::bytes("a")]))
        .int("path.utf-8", 3u8)
        .into();
    let info = folder("t", [entry], 1).int("name.utf-8", 5u8).clone();
    assert_eq!(paths(&info), ["t/a"]);
    assert_eq!(
        paths(folder("t", [file(&["a"], 1)], 1).bytes("name.utf-8", "")),
        ["t/a"]
    );
}

#[test]
fn a_list_of_no_files_beside_a_length_does_not_count() {
    assert_eq!(paths(single("a").list("files", [])), ["a"]);
}
