//! Torrents with padding files (BEP 47), which no peer is needed for.

use std::fs;

use aqueduct_testkit::bencode::Value;
use sha1::{Digest as _, Sha1};

use crate::world::{IMPATIENT, World};

const PIECE: usize = 16 * 1024;

/// Writes `pads.torrent`: a file of 5,000 bytes if `file` is true, padding to the end of its piece
/// and for two and a half pieces more, and an empty file.
fn write_torrent(world: &World, file: bool) {
    let data = if file { vec![7; 5000] } else { Vec::new() };
    let pad = if file { PIECE - 5000 } else { 0 } + 2 * PIECE + PIECE / 2;
    let entry = |name: &str, size: usize, is_pad: bool| {
        let attr = is_pad.then(|| ("attr", Value::text("p")));
        let rest = [
            ("length", Value::size(size as u64)),
            ("path", Value::List(vec![Value::text(name)])),
        ];
        Value::Dict(attr.into_iter().chain(rest).collect())
    };
    let mut files = vec![entry("pad", pad, true), entry("empty", 0, false)];
    if file {
        files.insert(0, entry("file", data.len(), false));
    }
    let all = [data, vec![0; pad]].concat();
    let hashes: Vec<u8> = all.chunks(PIECE).flat_map(Sha1::digest).collect();
    let info = Value::Dict(vec![
        ("files", Value::List(files)),
        ("name", Value::text("pads")),
        ("piece length", Value::size(PIECE as u64)),
        ("pieces", Value::Bytes(hashes)),
    ]);
    let torrent = Value::Dict(vec![("info", info)]).encode();
    fs::write(world.path("pads.torrent"), torrent).unwrap();
}

#[test]
fn a_torrent_of_padding_alone_is_complete_at_once() {
    let world = World::new();
    write_torrent(&world, false);
    let get = [&["get", "pads.torrent", "-o", "out"][..], &IMPATIENT].concat();
    world.ok(&get);
    assert_eq!(fs::metadata(world.path("out/pads/empty")).unwrap().len(), 0);
    world.ok(&get);
    world.ok(&["verify", "pads.torrent", "out"]);
}

#[test]
fn pieces_of_padding_are_complete_although_the_file_beside_them_is_missing() {
    let world = World::new();
    write_torrent(&world, true);
    let get = [&["get", "pads.torrent", "-o", "out"][..], &IMPATIENT].concat();
    let said = world.fails(4, &[&get[..], &["--json"]].concat());
    let checked = crate::world::event(&said, "checked");
    assert_eq!(
        (&checked["have"], &checked["pieces"]),
        (&3.into(), &4.into())
    );
    world.ok(&[&get[..], &["--select", "empty"]].concat());
    fs::create_dir_all(world.path("out/pads")).unwrap();
    fs::write(world.path("out/pads/file"), vec![7; 5000]).unwrap();
    world.ok(&["verify", "pads.torrent", "out"]);
}
