//! Names of files, paths on the command line, and torrents' names.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use crate::world::{ALONE, World, event, text};

const ODD: [&str; 7] = [
    "Ep 1: Pilot.mkv",
    "What happened...",
    "\u{1f468}\u{200d}\u{1f469}",
    "aux.c",
    "Makefile",
    "makefile",
    "what? *<>|\"",
];

#[test]
fn ordinary_linux_names_are_shared_downloaded_and_found_as_they_are() {
    let world = World::new();
    let long = "x".repeat(255);
    let names: Vec<String> = ODD
        .into_iter()
        .chain([&*long])
        .map(|name| format!("C: /{name}"))
        .collect();
    names
        .iter()
        .zip(1..)
        .for_each(|(name, size)| world.file(name, size));
    world.ok(&["create", "C: ", "-o", "odd.torrent"]);
    let shown = world.ok(&["show", "odd.torrent"]);
    assert!(
        shown.contains("\\u{200d}") && !shown.contains('\u{200d}'),
        "invisible characters are made visible: {shown}"
    );
    let (_seed, peer) = world.seed("odd.torrent");
    world.ok(&World::from(&peer, &["odd.torrent", "-o", "out"]));
    names
        .iter()
        .for_each(|name| assert!(world.same(name, &format!("out/{name}")), "{name}"));
    // Data that another client would have written are found, and nothing is downloaded.
    fs::create_dir(world.path("other")).unwrap();
    fs::rename(world.path("out/C: "), world.path("other/C: ")).unwrap();
    let said = world.ok(&[&["get", "odd.torrent", "-o", "other", "--json"], &ALONE[..]].concat());
    assert_eq!(event(&said, "checked")["have"], 1, "{said}");
    assert!(!said.contains("renamed"), "{said}");
}

#[test]
fn a_torrent_is_named_after_its_link_or_the_data_that_exists() {
    let world = World::new();
    world.shared();
    std::os::unix::fs::symlink("data", world.path("holidays")).unwrap();
    std::os::unix::fs::symlink("data/a.bin", world.path("one.bin")).unwrap();
    world.ok(&["create", "holidays", "-o", "folder.torrent"]);
    world.ok(&["create", "one.bin", "-o", "file.torrent"]);
    for (torrent, name) in [("folder.torrent", "holidays"), ("file.torrent", "one.bin")] {
        let shown: Value = serde_json::from_str(&world.ok(&["show", torrent, "--json"])).unwrap();
        assert_eq!(
            (&shown["name"], &shown["files"][0]["path"][0]),
            (&name.into(), &name.into())
        );
        world.ok(&["verify", torrent, name]);
    }
    let hash = |torrent: &str| {
        serde_json::from_str::<Value>(&world.ok(&["show", torrent, "--json"])).unwrap()["info_hash_v1"].clone()
    };
    let dot = world
        .aqueduct(&["create", ".", "-o", "../dot.torrent"])
        .current_dir(world.path("data"))
        .status()
        .unwrap();
    assert!(dot.success());
    assert_eq!(
        hash("dot.torrent"),
        hash("data.torrent"),
        "a dot has no name: the folder's counts"
    );
}

#[test]
fn empty_files_alone_make_no_torrent() {
    let world = World::new();
    world.file("none/a", 0);
    world.file("none/b/c", 0);
    for path in ["none", "none/a"] {
        let said = world.fails(1, &["create", path, "-o", "x.torrent"]);
        assert!(
            said.contains("all files are empty; a torrent needs at least one byte"),
            "{said}"
        );
    }
    assert!(!world.path("x.torrent").exists());
}

#[test]
fn paths_that_are_not_utf_8_work_as_torrents_outputs_and_data() {
    let world = World::new();
    world.shared();
    let odd = |name: &[u8]| OsStr::from_bytes(name).to_owned();
    fs::copy(
        world.path("data.torrent"),
        world.path("x").with_file_name(odd(b"caf\xe9.torrent")),
    )
    .unwrap();
    let (_seed, peer) = world.seed("data.torrent");
    let get = world
        .aqueduct(&World::from(&peer, &["-o"]))
        .arg(odd(b"out\xe9"))
        .arg(odd(b"caf\xe9.torrent"))
        .output()
        .unwrap();
    assert!(get.status.success(), "{}", text(&get.stderr));
    let data = world.path("x").with_file_name(odd(b"out\xe9")).join("data");
    assert_eq!(
        fs::read(data.join("a.bin")).unwrap(),
        fs::read(world.path("data/a.bin")).unwrap()
    );

    let renamed = world.path("x").with_file_name(odd(b"data\xe9"));
    fs::rename(&data, &renamed).unwrap();
    let verify = world
        .aqueduct(&["verify"])
        .arg(odd(b"caf\xe9.torrent"))
        .arg(&renamed)
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", text(&verify.stderr));

    let refused = world
        .aqueduct(&["create", "-o", "x.torrent"])
        .arg(&renamed)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("torrents hold names in UTF-8"),
        "{}",
        text(&refused.stderr)
    );
    std::os::unix::fs::symlink(&renamed, world.path("named")).unwrap();
    world.ok(&["create", "named", "-o", "named.torrent"]);
    let below = world
        .aqueduct(&["create", "-o"])
        .arg(odd(b"\xe9.torrent"))
        .arg("data")
        .output()
        .unwrap();
    assert!(below.status.success(), "{}", text(&below.stderr));
}

/// A v2 torrent with files of 20,000 and 5 bytes, the second of which starts at a piece boundary.
#[test]
fn a_torrents_size_is_that_of_its_files_without_padding() {
    let world = World::new();
    let info = "d9:file treed1:ad0:d6:lengthi20000eee1:bd0:d6:lengthi5eeee12:meta versioni2e4:name1:t12:piece lengthi16384ee";
    fs::write(world.path("v2.torrent"), format!("d4:info{info}e")).unwrap();
    let shown: Value = serde_json::from_str(&world.ok(&["show", "v2.torrent", "--json"])).unwrap();
    assert_eq!(
        (&shown["total_size"], &shown["pieces"]),
        (&20_005.into(), &3.into())
    );
    assert!(world.ok(&["show", "v2.torrent"]).contains("(20005 bytes)"));
}
