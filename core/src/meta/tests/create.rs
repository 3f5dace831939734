use crate::bencode::{Limits, scan};
use crate::meta::{
    Content, CreateError, Details, Draft, Metainfo, MetainfoError, NewFile, piece_length_for,
};
use crate::types::PieceDigest;

const KIB: u64 = 1024;

fn new_file(path: &str, size: u64) -> NewFile {
    NewFile {
        path: path.split('/').map(str::to_owned).collect(),
        size,
    }
}

#[test]
fn a_folder_round_trips() {
    let content = Content::Folder(vec![
        new_file("cd 1/a.flac", 40_000),
        new_file("empty", 0),
        new_file("ž.txt", 5),
    ]);
    let draft = Draft::new("album", content, Some(32 * KIB)).unwrap();
    assert_eq!(
        (draft.lengths().total(), draft.lengths().pieces()),
        (40_005, 2)
    );
    let details = Details {
        trackers: vec!["http://x/a".to_owned(), "udp://y:1".to_owned()],
        web_seeds: vec!["http://w/".to_owned()],
        private: true,
        comment: Some("c".to_owned()),
        source: Some("s".to_owned()),
        created_by: Some("me".to_owned()),
        created: Some(1_700_000_000),
    };
    let made = draft.finish(&[[1; 20], [2; 20]], details.clone()).unwrap();
    assert!(
        scan(&made.to_bytes(), Limits::TORRENT.canonical()).is_ok(),
        "keys are sorted"
    );
    let read = Metainfo::parse(&made.to_bytes()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.trackers, [["http://x/a"], ["udp://y:1"]]);
    assert_eq!(
        (read.web_seeds, read.comment, read.created_by, read.created),
        (
            details.web_seeds,
            details.comment,
            details.created_by,
            details.created
        )
    );
    assert_eq!(
        (read.info.private, &read.info.source, read.info.multi),
        (true, &details.source, true)
    );
    assert_eq!(
        read.info
            .files
            .iter()
            .map(|f| f.path.join("/"))
            .collect::<Vec<_>>(),
        ["album/cd 1/a.flac", "album/empty", "album/ž.txt"]
    );
    assert_eq!(
        read.info.piece_digest(read.info.lengths.piece(1).unwrap()),
        Some(PieceDigest::V1([2; 20]))
    );
}

#[test]
fn a_file_has_no_more_keys_than_it_needs() {
    let made = Draft::new("a", Content::File(5), None)
        .unwrap()
        .finish(&[[b'x'; 20]], Details::default())
        .unwrap();
    let expected =
        "d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxxee";
    assert_eq!(made.to_bytes(), expected.as_bytes());
    assert!(!made.info.multi);
}

#[test]
fn the_piece_length_follows_the_size() {
    let cases = [
        (0, 16),
        (1, 16),
        (2000 * 16 * KIB, 16),
        (2000 * 16 * KIB + 1, 32),
        (KIB * KIB * KIB, 1024),
        (u64::MAX >> 1, 16_384),
    ];
    for (total, kib) in cases {
        assert_eq!(
            u64::from(piece_length_for(total)),
            kib * KIB,
            "{total} bytes"
        );
    }
}

#[test]
fn what_makes_no_torrent_is_refused_before_hashing() {
    let file = |piece_length| Draft::new("a", Content::File(100), Some(piece_length)).unwrap_err();
    assert_eq!(file(0), CreateError::PieceLength(0));
    assert_eq!(file(8 * KIB), CreateError::PieceLength(8 * KIB));
    assert_eq!(file(48 * KIB), CreateError::PieceLength(48 * KIB));
    assert_eq!(file(1 << 30), CreateError::PieceLength(1 << 30));
    let folder = |files: Vec<NewFile>| Draft::new("t", Content::Folder(files), None).unwrap_err();
    assert_eq!(folder(vec![]), CreateError::NoFiles);
    assert_eq!(
        folder(vec![new_file("a", u64::MAX), new_file("b", 1)]),
        CreateError::TotalSize
    );
    let changed = |given: &str, written: &str| CreateError::Name {
        given: given.to_owned(),
        written: written.to_owned(),
    };
    assert_eq!(
        folder(vec![new_file("x/12\\30", 1)]),
        changed("t/x/12\\30", "t/x/12_30")
    );
    assert_eq!(
        folder(vec![new_file("a\nb", 1)]),
        changed("t/a\nb", "t/a_b")
    );
    assert_eq!(
        folder(vec![new_file("a", 0), new_file("b", 0)]),
        CreateError::OnlyEmptyFiles
    );
    assert_eq!(
        Draft::new("a", Content::File(0), None),
        Err(CreateError::OnlyEmptyFiles)
    );
    assert_eq!(
        Draft::new("..", Content::File(1), None).unwrap_err(),
        changed("..", "_")
    );
    assert!(matches!(
        folder(vec![NewFile {
            path: vec!["x".to_owned(); 100],
            size: 1
        }]),
        CreateError::DeepPath { received: 101, .. }
    ));
}

#[test]
fn there_is_a_digest_for_every_piece() {
    let draft = Draft::new("a", Content::File(20_000), Some(16 * KIB)).unwrap();
    let refused = CreateError::Invalid(MetainfoError::HashCount {
        expected: 2,
        received: 1,
    });
    assert_eq!(draft.finish(&[[1; 20]], Details::default()), Err(refused));
}

#[test]
fn names_that_linux_takes_are_shared_as_they_are() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}.png";
    let long = "x".repeat(255);
    let names = [
        "Ep 1: Pilot.mkv",
        "What happened...",
        family,
        "aux.c",
        "Makefile",
        "makefile",
        "what? *<>|\"",
        " a ",
        "\u{200f}\u{5d0}",
        &long,
    ];
    let files = names.map(|name| new_file(name, 1)).to_vec();
    let made = Draft::new("C: ", Content::Folder(files), None)
        .unwrap()
        .finish(&[[1; 20]], Details::default())
        .unwrap();
    assert_eq!(
        made.info
            .files
            .iter()
            .map(|file| file.path.join("/"))
            .collect::<Vec<_>>(),
        names.map(|name| format!("C: /{name}"))
    );
}
