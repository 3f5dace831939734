//! The command line: how every command handles bad input and its output files.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::world::{World, event, events, text};

#[test]
fn an_invalid_torrent_has_an_exit_code_and_a_class_of_its_own() {
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
fn listing_files_prints_json_on_request_and_downloads_nothing() {
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
fn an_error_in_one_of_several_sources_does_not_stop_the_others() {
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
fn output_that_cannot_be_written_is_reported() {
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
fn foreign_text_cannot_control_the_terminal() {
    let world = World::new();
    let magnet =
        "magnet:?xt=urn:btih:00112233445566778899aabbccddeeff00112233&dn=%1b%5b2Jevil%e2%80%aefdp";
    let shown = world.ok(&["show", magnet]);
    assert!(shown.contains(r"\u{1b}[2Jevil\u{202e}fdp"), "{shown}");
    assert!(!shown.contains(['\x1b', '\u{202e}']));
}

#[test]
fn invisible_characters_in_paths_are_shown() {
    let world = World::new();
    world.file("a\u{200b}b", 20_000);
    world.ok(&["create", "a\u{200b}b", "-o", "t.torrent"]);
    let (_seed, peer) = world.seed("t.torrent");
    let got = world.ok(&World::from(&peer, &["t.torrent", "-o", "out"]));
    world.file("other/a\u{200b}b", 20);
    let refused = world.fails(5, &World::from(&peer, &["t.torrent", "-o", "other"]));
    for (said, path) in [
        (got, r"out/a\u{200b}b"),
        (refused, r"other/a\u{200b}b is there"),
    ] {
        assert!(said.contains(path) && !said.contains('\u{200b}'), "{said}");
    }
}

#[test]
fn usage_errors_are_reported_in_text_and_json() {
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
