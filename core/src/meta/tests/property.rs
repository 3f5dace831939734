use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{file, folder, parse, torrent};
use crate::bencode::Encoder;
use crate::meta::path::sanitise;
use crate::meta::{
    Content, Details, Draft, Info, Magnet, Metainfo, NewFile, numbered_name, plain_name,
    portable_name,
};
use crate::types::{InfoHash, InfoHashV1, InfoHashV2, is_hidden, is_reordering};

/// Properties of every accepted torrent, however hostile.
fn check(info: &Info) {
    let mut end = 0;
    let mut seen = BTreeSet::new();
    for file in &info.files {
        assert!(file.offset >= end, "files do not overlap");
        assert!(
            info.info_hash.v1().is_none() || file.offset == end,
            "files are contiguous"
        );
        end = file.offset + file.size;
        assert!(!file.path.is_empty());
        file.path
            .iter()
            .for_each(|component| check_component(component));
        assert!(
            file.pad || seen.insert(file.path.join("/")),
            "{:?} twice",
            file.path
        );
    }
    assert!(is_prefix_free(&seen), "no file is another's folder");
    assert_eq!(info.lengths.total(), end);
    assert!(
        info.info_hash.v1().is_none() || info.pieces.len() == info.lengths.pieces() as usize * 20
    );
}

fn check_component(name: &str) {
    assert!(
        !name.is_empty() && name != "." && name != ".." && name.len() <= 255,
        "{name:?}"
    );
    assert!(
        !name.contains(['/', '\\'])
            && !name.contains(char::is_control)
            && !name.contains(is_reordering),
        "{name:?}"
    );
}

fn is_prefix_free(paths: &BTreeSet<String>) -> bool {
    paths.iter().all(|path| {
        path.match_indices('/')
            .all(|(at, _)| !paths.contains(&path[..at]))
    })
}

/// Concatenations of name fragments that have caused bugs.
fn evil_name() -> impl Strategy<Value = String> {
    const PARTS: [&str; 23] = [
        "..", ".", "", "/", "\\", ":", "\0", "\n", " ", "con", "NUL", "com1", ".txt", "a", "A",
        "b", "é", "e\u{301}", "\u{202e}", "\u{200b}", " (1)", "ß", "İ",
    ];
    vec(prop_oneof![8 => select(&PARTS[..]).prop_map(str::to_owned), 1 => "\\PC{0,4}", 1 => Just("x".repeat(130))], 0..4)
        .prop_map(|parts| parts.concat())
}

fn hash() -> impl Strategy<Value = InfoHash> {
    let (v1, v2) = (
        any::<[u8; 20]>().prop_map(InfoHashV1),
        any::<[u8; 32]>().prop_map(InfoHashV2),
    );
    (v1, v2, 0..3).prop_map(|(v1, v2, kind)| match kind {
        0 => InfoHash::V1(v1),
        1 => InfoHash::V2(v2),
        _ => InfoHash::Hybrid(v1, v2),
    })
}

/// Deletes, inserts or replaces bytes.
fn mutate(mut bytes: Vec<u8>, changes: Vec<(Index, u8, u8)>) -> Vec<u8> {
    for (place, kind, byte) in changes {
        let at = place.index(bytes.len());
        match kind % 3 {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => {}
        }
    }
    bytes
}

fn sample() -> Vec<u8> {
    let mut info = folder("t", [file(&["a"], 20_000), file(&["b", "c"], 5)], 20_005);
    let leaf = |length: u32| {
        Encoder::new()
            .put("", Encoder::new().int("length", length))
            .clone()
    };
    let tree = Encoder::new()
        .put("a", &leaf(20_000))
        .put("b", Encoder::new().put("c", &leaf(5)))
        .clone();
    info.int("meta version", 2u8).put("file tree", &tree);
    torrent(&info)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn hostile_paths_are_made_harmless_and_different(name in evil_name(), paths in vec(vec(evil_name(), 1..4), 1..24)) {
        let files = paths.iter().map(|path| file(&path.iter().map(String::as_str).collect::<Vec<_>>(), 1));
        check(&parse(&folder(&name, files, paths.len())).unwrap().info);
    }

    #[test]
    fn a_harmless_name_stays_as_it_is(bytes in vec(any::<u8>(), 0..300), name in evil_name()) {
        for name in [bytes, name.into_bytes()] {
            let once = sanitise(&name);
            prop_assert_eq!(&sanitise(once.as_bytes()), &once);
            for (safe, limit) in [(portable_name(&once), 240), (plain_name(&once), 120)] {
                check_component(&safe);
                prop_assert!(safe.len() <= limit && !safe.ends_with(['.', ' ']) && !safe.contains(is_hidden), "{:?}", safe);
                prop_assert_eq!(portable_name(&safe), safe);
            }
            check_component(&numbered_name(&once, 499));
        }
    }

    #[test]
    fn a_mutated_torrent_never_panics(changes in vec((any::<Index>(), any::<u8>(), prop_oneof![any::<u8>(), select(&b"0123456789deil:-"[..])]), 1..6)) {
        if let Ok(metainfo) = Metainfo::parse(&mutate(sample(), changes)) {
            check(&metainfo.info);
            prop_assert_eq!(&Metainfo::parse(&metainfo.to_bytes()).unwrap().info, &metainfo.info);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), text in "\\PC{0,80}", query in "(&?(xt|tr|so|x.pe|dn)=[%0-9a-f,:\\[\\]-]{0,12}){0,6}") {
        let _ = Metainfo::parse(&bytes);
        let _ = Info::parse(bytes.into());
        let _ = Magnet::parse(&text);
        let _ = Magnet::parse(&format!("magnet:?{query}"));
    }

    #[test]
    fn a_made_torrent_is_read_back(mut sizes in vec(0u64..100_000, 1..12), private in any::<bool>(), comment in option::of("\\PC{0,20}")) {
        sizes[0] += 1;
        let files = (0..).zip(&sizes).map(|(n, &size)| NewFile { path: vec![format!("d{}", n % 3), format!("f{n}")], size });
        let draft = Draft::new("made", Content::Folder(files.collect()), None).unwrap();
        let digests: Vec<[u8; 20]> = draft.lengths().iter().map(|piece| [piece.get().to_le_bytes()[0]; 20]).collect();
        let made = draft.finish(&digests, Details { private, comment, ..Details::default() }).unwrap();
        let read = Metainfo::parse(&made.to_bytes()).unwrap();
        check(&read.info);
        prop_assert_eq!(&read, &made);
        prop_assert_eq!(read.info.files.iter().map(|f| f.size).collect::<Vec<_>>(), sizes);
    }

    #[test]
    fn the_spans_of_a_range_are_the_range(sizes in vec(0u64..50, 1..12), from in any::<Index>(), to in any::<Index>()) {
        let total: u64 = sizes.iter().sum();
        let files = (0..).zip(&sizes).map(|(n, &size)| file(&[&format!("{n}")], i64::try_from(size).unwrap()));
        let info = parse(&folder("t", files, usize::try_from(total).unwrap())).unwrap().info;
        let bound = usize::try_from(total).unwrap() + 1;
        let (a, b) = (from.index(bound) as u64, to.index(bound) as u64);
        let (offset, length) = (a.min(b), a.abs_diff(b));
        let mut at = 0;
        for span in info.layout(offset, length) {
            let file = &info.files[span.file];
            prop_assert_eq!(span.range.start, at);
            prop_assert_eq!(file.offset + span.at, offset + at);
            prop_assert!(span.range.end > at && span.at + (span.range.end - at) <= file.size);
            at = span.range.end;
        }
        prop_assert_eq!(at, length);
    }

    #[test]
    fn a_magnet_is_read_back(
        info_hash in hash(), name in option::of("\\PC{1,20}"), urls in vec("[a-z]{1,5}://\\PC{1,20}", 0..4),
        peers in vec(any::<(std::net::IpAddr, std::num::NonZeroU16)>(), 0..4), chosen in proptest::collection::btree_set(0u32..50, 1..20),
    ) {
        let mut magnet = Magnet { info_hash, name, trackers: Vec::new(), web_seeds: Vec::new(), peers: Vec::new(), select: None };
        magnet.trackers = urls.iter().map(|url| url.trim().to_owned()).collect::<BTreeSet<_>>().into_iter().collect();
        magnet.web_seeds = magnet.trackers.clone();
        magnet.peers = peers.into_iter().map(|(ip, port)| (ip, port.get()).into()).collect::<BTreeSet<_>>().into_iter().collect();
        magnet.select = Some(chosen.into_iter().collect());
        prop_assert_eq!(Magnet::parse(&magnet.to_string()).unwrap(), magnet);
    }
}
