//! The terminal program as its users and their scripts meet it: arguments in; files, lines and exit
//! codes out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "in a test a failure is a panic"
)]

mod disk;
mod display;
mod environment;
mod external_changes;
mod failure_reports;
mod names;
mod sources;
mod terminal;
mod tracker;
mod world;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{ALONE, World, event, events, text};

#[test]
fn what_is_created_is_shown_and_verifies() {
    let world = World::new();
    let magnet = world.shared();
    let shown: Value =
        serde_json::from_str(&world.ok(&["show", "data.torrent", "--json"])).unwrap();
    assert_eq!(shown["name"], "data");
    assert_eq!(shown["total_size"], 356_385);
    assert_eq!(shown["pieces"], 22);
    assert_eq!(shown["magnet"], magnet.trim());
    assert_eq!(shown["info_hash_v2"], Value::Null);
    let paths: Vec<_> = shown["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].to_string())
        .collect();
    assert_eq!(
        paths,
        [
            r#"["data","a.bin"]"#,
            r#"["data","empty"]"#,
            r#"["data","sub","b.bin"]"#,
            r#"["data","sub","c.txt"]"#,
            r#"["data","z.bin"]"#
        ]
    );
    let by_magnet: Value =
        serde_json::from_str(&world.ok(&["show", magnet.trim(), "--json"])).unwrap();
    assert_eq!(by_magnet["info_hash_v1"], shown["info_hash_v1"]);
    assert_eq!(by_magnet["files"], Value::Null);
    world.ok(&["verify", "data.torrent"]);
    world.ok(&["verify", "data.torrent", "data"]);
    fs::rename(world.path("data"), world.path("renamed")).unwrap();
    world.ok(&["verify", "data.torrent", "renamed"]);
    world.fails(6, &["verify", "data.torrent"]);
}

#[test]
fn damage_is_told_by_file_and_piece() {
    let world = World::new();
    world.shared();
    let path = world.path("data/a.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[5 * 16_384] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::remove_file(world.path("data/empty")).unwrap();
    fs::write(world.path("data/z.bin"), b"short").unwrap();
    let said = world.fails(6, &["verify", "data.torrent"]);
    assert!(said.contains("data/a.bin: wrong: piece 5\n"), "{said}");
    assert!(said.contains("data/empty: missing"), "{said}");
    assert!(
        said.contains("data/z.bin: 5 bytes, 40000 expected: pieces 19-21"),
        "{said}"
    );
    let said = world.fails(6, &["verify", "data.torrent", "--json"]);
    assert_eq!(event(&said, "mismatch")["pieces"], serde_json::json!([5]));
    assert_eq!(event(&said, "error")["class"], "mismatch");
}

#[test]
fn what_is_no_torrent_has_an_exit_code_and_a_class_of_its_own() {
    let world = World::new();
    let deep = [&b"d4:info"[..], &[b'l'; 1000]].concat();
    let hostile = [
        &b""[..],
        b"<html>",
        b"de",
        b"d4:infodee",
        b"d4:infoi1ee",
        b"d4:info99999999999:x",
        &deep,
    ];
    for (n, bytes) in hostile.iter().enumerate() {
        fs::write(world.path("bad.torrent"), bytes).unwrap();
        for command in [
            &["show", "bad.torrent"][..],
            &["get", "bad.torrent"],
            &["verify", "bad.torrent"],
            &["seed", "bad.torrent"],
        ] {
            world.fails(3, command);
            let said = world.fails(3, &[command, &["--json"]].concat());
            assert_eq!(event(&said, "error")["class"], "invalid_torrent", "{n}");
        }
    }
    world.fails(3, &["show", "magnet:?xt=urn:btih:xyz"]);
    world.fails(3, &["get", "magnet:?dn=nothing"]);
}

#[test]
fn a_list_of_files_is_json_where_that_is_asked_for_and_nothing_is_downloaded() {
    let world = World::new();
    let link = world.shared();
    let listed = |said: &str| event(said, "files")["files"].as_array().unwrap().len();
    assert_eq!(
        listed(&world.ok(&["get", "data.torrent", "--list", "--json"])),
        5
    );
    assert_eq!(
        listed(&world.ok(&["seed", "data.torrent", "--list", "--json"])),
        5
    );
    let (_seed, peer) = world.seed("data.torrent");
    world.large(20_000);
    let both = World::from(
        &peer,
        &[
            link.trim(),
            "large.torrent",
            "-o",
            "out",
            "--list",
            "--json",
        ],
    );
    let said = world.ok(&both);
    assert_eq!(
        events(&said)
            .iter()
            .filter(|event| event["event"] == "files")
            .count(),
        2,
        "{said}"
    );
    world.ok(&World::from(&peer, &[link.trim(), "-o", "again"]));
    let known = world.ok(&World::from(
        "127.0.0.1:1",
        &[link.trim(), "-o", "again", "--list", "--json"],
    ));
    assert_eq!(listed(&known), 5);
    assert!(!world.path("out/large.bin").exists() && !world.path("out/data").exists());
}

#[test]
fn what_is_wrong_with_one_of_several_sources_does_not_hold_up_the_others() {
    let world = World::new();
    world.shared();
    fs::write(world.path("bad.torrent"), "<html>").unwrap();
    let (_seed, peer) = world.seed("data.torrent");
    let said = world.fails(
        3,
        &World::from(
            &peer,
            &[
                "bad.torrent",
                "data.torrent",
                "missing.torrent",
                "-o",
                "out",
                "--json",
            ],
        ),
    );
    let classes: Vec<_> = events(&said)
        .iter()
        .filter(|event| event["event"] == "error")
        .map(|event| event["class"].clone())
        .collect();
    assert_eq!(
        classes,
        ["invalid_torrent", "failure", "invalid_torrent"],
        "{said}"
    );
    assert!(said.contains("2 of 3 torrents failed"), "{said}");
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let world = World::new();
    world.shared();
    for command in [
        &["show", "data.torrent"][..],
        &["completions", "bash"],
        &["man"],
        &["verify", "data.torrent"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = world.aqueduct(command).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(
            text(&output.stderr).contains("could not write to standard output"),
            "{command:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn what_cannot_be_shared_is_told_before_anything_is_read() {
    let world = World::new();
    world.shared();
    let said = world.fails(2, &["create", "data", "-o", "data"]);
    assert!(said.contains("name the .torrent file"), "{said}");
    let said = world.fails(2, &["create", "data/a.bin", "-o", "data/../data/a.bin"]);
    assert!(said.contains("one of the files to share"), "{said}");
    world.ok(&["create", "data", "-o", "data/own.torrent"]);
    world.fails(2, &["create", "data", "-o", "data/own.torrent"]);
    world.fails(2, &["create", "data", "-o", "data/own.torrent", "--force"]);
    assert_eq!(
        fs::metadata(world.path("data/a.bin")).unwrap().len(),
        300_000
    );
    assert!(
        world
            .fails(
                2,
                &["create", "data", "-o", "x.torrent", "--piece-length", "17K"]
            )
            .contains("17408")
    );
    assert!(
        world
            .fails(5, &["create", "nowhere", "-o", "x.torrent"])
            .contains("name a file or folder")
    );
    let said = world.fails(5, &["create", "/dev/null", "-o", "x.torrent"]);
    assert!(said.contains("neither a file nor a folder"), "{said}");
}

#[test]
fn a_new_torrent_replaces_nothing_unless_forced_and_then_only_as_a_whole() {
    let world = World::new();
    world.shared();
    fs::write(world.path("notes"), b"mine").unwrap();
    let said = world.fails(5, &["create", "data", "-o", "notes"]);
    assert!(
        said.contains("--output notes is there already") && said.contains("--force"),
        "{said}"
    );
    assert_eq!(fs::read(world.path("notes")).unwrap(), b"mine");
    // A limit on the size of files stands for a full disk.
    let limited = [
        "-c",
        "ulimit -f 0; trap '' XFSZ; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_aqueduct"),
        "create",
        "data",
        "-o",
        "notes",
        "--force",
    ];
    let output = world.command("sh", &limited).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert_eq!(fs::read(world.path("notes")).unwrap(), b"mine");
    world.ok(&["create", "data", "-o", "notes", "--force"]);
    world.ok(&["verify", "notes", "data"]);
    let left: Vec<_> = fs::read_dir(world.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().ends_with(".part")),
        "{left:?}"
    );
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    let world = World::new();
    let magnet =
        "magnet:?xt=urn:btih:00112233445566778899aabbccddeeff00112233&dn=%1b%5b2Jevil%e2%80%aefdp";
    let shown = world.ok(&["show", magnet]);
    assert!(shown.contains(r"\u{1b}[2Jevil\u{202e}fdp"), "{shown}");
    assert!(!shown.contains(['\x1b', '\u{202e}']));
}

#[test]
fn the_command_line_is_checked_and_told_in_json_too() {
    let world = World::new();
    for bad in [
        &["get"][..],
        &["get", "x", "--download-limit", "fast"],
        &["get", "x", "--peer", "nowhere"],
        &["create", "x"],
        &["fetch"],
    ] {
        world.fails(2, bad);
        assert_eq!(
            event(&world.fails(2, &[bad, &["--json"]].concat()), "error")["class"],
            "usage"
        );
    }
    assert!(
        world
            .fails(1, &["get", "missing.torrent"])
            .contains("give a .torrent file")
    );
    world.ok(&["get", "--help"]);
    assert!(world.ok(&["completions", "bash"]).contains("aqueduct"));
    assert!(world.ok(&["man"]).starts_with(".ie"));
}

#[test]
fn a_torrent_comes_from_standard_input_and_only_selected_files_are_complete() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    assert!(
        world
            .ok(&["get", "data.torrent", "--list"])
            .contains("data/sub/b.bin")
    );
    let mut get = world
        .aqueduct(&World::from(
            &peer,
            &["-", "-o", "out", "--select", "sub/*"],
        ))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    get.stdin
        .take()
        .unwrap()
        .write_all(&fs::read(world.path("data.torrent")).unwrap())
        .unwrap();
    assert!(get.wait().unwrap().success());
    assert!(world.same("data/sub/b.bin", "out/data/sub/b.bin"));
    assert!(!world.path("out/data/z.bin").exists() || !world.same("data/z.bin", "out/data/z.bin"));
    assert!(
        world
            .fails(
                2,
                &["get", "data.torrent", "-o", "out", "--select", "*.iso"]
            )
            .contains("no file matches")
    );
}

#[test]
fn a_magnet_is_enough_and_its_metadata_are_kept() {
    let world = World::new();
    let magnet = world.shared();
    let (seed, peer) = world.seed("data.torrent");
    let said = world.ok(&World::from(&peer, &[magnet.trim(), "-o", "out", "--json"]));
    assert_eq!(event(&said, "metadata")["name"], "data");
    world.ok(&["verify", "data.torrent", "out"]);
    drop(seed);
    let again = world.ok(&[&["get", magnet.trim(), "-o", "out", "--json"], &ALONE[..]].concat());
    assert_eq!(event(&again, "checked")["have"], 22);
}

#[test]
fn a_link_that_names_a_peer_is_enough_and_so_is_a_bare_hash_with_one() {
    let world = World::new();
    let magnet = world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let link = format!("{}&x.pe={peer}", magnet.trim());
    world.ok(&[&["get", &link, "-o", "linked"], &ALONE[..]].concat());
    let hash = &magnet["magnet:?xt=urn:btih:".len()..][..40];
    world.ok(&World::from(&peer, &[hash, "-o", "hashed"]));
    for place in ["linked", "hashed"] {
        assert!(
            world.same("data/a.bin", &format!("{place}/data/a.bin")),
            "{place}"
        );
    }
}

#[test]
fn a_link_that_selects_files_fetches_these_alone() {
    let world = World::new();
    let link = format!("{}&so=4", world.shared().trim());
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &[&link, "-o", "out"]));
    assert!(world.same("data/z.bin", "out/data/z.bin"));
    assert!(!world.path("out/data/a.bin").exists() || !world.same("data/a.bin", "out/data/a.bin"));
}

#[test]
fn a_link_that_selects_no_file_of_the_torrent_is_wrong() {
    let world = World::new();
    let link = format!("{}&so=99", world.shared().trim());
    let (_seed, peer) = world.seed("data.torrent");
    let said = world.fails(2, &World::from(&peer, &[&link, "-o", "out"]));
    assert!(
        said.contains("of the 5 files of this torrent none is left"),
        "{said}"
    );
    assert!(!world.path("out/data").exists());
}

/// BEP 27: the link's peer is good for the metadata. They say that the torrent is private, and then
/// only its trackers' peers and the user's count.
#[test]
fn a_private_torrents_link_is_not_believed_about_peers() {
    let world = World::new();
    world.file("secret.bin", 100_000);
    let magnet = world.ok(&["create", "secret.bin", "-o", "secret.torrent", "--private"]);
    let (_seed, peer) = world.seed("secret.torrent");
    let link = format!("{}&x.pe={peer}", magnet.trim());
    let impatient = [
        "--timeout",
        "2s",
        "--no-trackers",
        "--no-dht",
        "--no-lsd",
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "-o",
        "out",
    ];
    let said = world.fails(4, &[&["get", &link], &impatient[..]].concat());
    assert!(said.contains("secret.bin"), "it knows the metadata: {said}");
    world.fails(4, &[&["get", &link], &impatient[..]].concat());
    world.ok(&World::from(&peer, &[&link, "-o", "out"]));
}

#[test]
fn a_torrent_of_version_2_alone_is_refused_with_advice() {
    let world = World::new();
    let hash = "ab".repeat(32);
    for source in [format!("magnet:?xt=urn:btmh:1220{hash}"), hash] {
        let said = world.fails(3, &["get", &source]);
        assert!(
            said.contains("version 2 only") && said.contains("use a v1 or hybrid torrent"),
            "{said}"
        );
    }
}

#[test]
fn without_peers_it_gives_up_in_time_and_says_whom_it_asked() {
    let world = World::new();
    world.shared();
    let silent = [
        "get",
        "data.torrent",
        "-o",
        "out",
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--tracker",
        "http://127.0.0.1:1/announce",
        "--no-dht",
        "--no-lsd",
        "--timeout",
        "2s",
    ];
    let said = world.fails(4, &silent);
    assert!(said.contains("asked 1 tracker: 1 failed"), "{said}");
    let said = world.fails(4, &[&silent[..], &["--json"]].concat());
    assert_eq!(event(&said, "error")["class"], "no_peers");
}
