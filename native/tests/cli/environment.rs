//! The program's environment: no home directory, few file descriptors, unknown host names.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use aqueduct_core::types::PeerId;
use aqueduct_core::wire::{Handshake, Reserved};

use crate::world::{ALONE, World, event, events, text};

#[test]
fn a_torrent_named_twice_is_downloaded_once() {
    let world = World::new();
    let link = world.shared();
    world.large(50_000);
    fs::copy(world.path("data.torrent"), world.path("a-copy")).unwrap();
    let (_seed, peer) = world.seed("data.torrent");
    let (_other, other) = world.seed("large.torrent");
    let output = world.run(&World::from(
        &peer,
        &[
            "--peer",
            &other,
            link.trim(),
            "data.torrent",
            "a-copy",
            "large.torrent",
            "-o",
            "out",
        ],
    ));
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("is the same torrent as data.torrent, and is left out"),
        "{said}"
    );
    assert!(
        said.contains("a-copy is the same torrent as data.torrent"),
        "{said}"
    );
    world.ok(&["verify", "data.torrent", "out"]);
    world.ok(&["verify", "large.torrent", "out"]);
}

/// The resume records of `odd.torrent` in the folder that replaces the user's own.
fn records_elsewhere(world: &World) -> Vec<PathBuf> {
    let user = fs::metadata(world.path(".")).unwrap().uid();
    let shown: serde_json::Value =
        serde_json::from_str(&world.ok(&["show", "odd.torrent", "--json"])).unwrap();
    let hash = shown["info_hash_v1"].as_str().unwrap().to_owned();
    let folder = PathBuf::from(format!("/var/tmp/aqueduct-{user}"));
    let entries = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_string_lossy().contains(&hash))
        .collect()
}

#[test]
fn without_a_folder_for_its_state_the_program_uses_another_and_says_so() {
    let world = World::new();
    world.file("odd.bin", 123_457);
    world.ok(&["create", "odd.bin", "-o", "odd.torrent"]);
    let (_seed, peer) = world.seed("odd.torrent");
    for (case, told) in [
        ("unset", "neither XDG_STATE_HOME nor HOME is set"),
        ("unwritable", "odd.torrent/aqueduct cannot be written"),
    ] {
        for run in 0..2 {
            let mut get =
                world.aqueduct(&World::from(&peer, &["odd.torrent", "-o", case, "--json"]));
            match case {
                "unset" => get.env_remove("HOME").env_remove("XDG_STATE_HOME"),
                _ => get.env("XDG_STATE_HOME", world.path("odd.torrent")),
            };
            let output = get.output().unwrap();
            let said = text(&output.stdout);
            assert!(output.status.success(), "{said}{}", text(&output.stderr));
            let note = event(&said, "note")["message"].to_string();
            assert!(
                note.contains(told) && note.contains("set XDG_STATE_HOME"),
                "{note}"
            );
            let checked = events(&said)
                .into_iter()
                .find(|event| event["event"] == "checked");
            assert!(
                run == 0 || checked.is_some_and(|event| event["have"] == 8),
                "{said}"
            );
        }
        world.ok(&["verify", "odd.torrent", case]);
        let records = records_elsewhere(&world);
        assert_eq!(records.len(), 2, "{records:?}");
        records
            .iter()
            .for_each(|path| fs::remove_file(path).unwrap());
    }
}

#[test]
fn a_peer_whose_name_is_not_found_does_not_delay_others() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let nobody = ["--peer", "nobody.invalid:6881"];
    world.ok(&World::from(
        &peer,
        &[&nobody[..], &["data.torrent", "-o", "out"]].concat(),
    ));
    world.ok(&["verify", "data.torrent", "out"]);
    let mut alone =
        world.start(&[&["get", "data.torrent", "-o", "alone"], &nobody[..], &ALONE].concat());
    alone.wait_for(|event| event["event"] == "listening");
    alone.signal("INT");
    assert_eq!(alone.exit_code(), Some(130));
}

#[test]
fn many_peers_leave_file_descriptors_for_files() {
    let world = World::new();
    (0..60).for_each(|n| world.file(&format!("many/{n}.bin"), 16_384));
    world.ok(&[
        "create",
        "many",
        "-o",
        "many.torrent",
        "--piece-length",
        "16K",
    ]);
    let (_seed, peer) = world.seed("many.torrent");
    let args = World::from(
        &peer,
        &["many.torrent", "-o", "out", "--download-limit", "200K"],
    );
    let script = r#"ulimit -n 64; exec "$0" "$@""#;
    let mut get = world.start_by(
        "sh",
        &[&["-c", script, env!("CARGO_BIN_EXE_aqueduct")], &args[..]].concat(),
    );
    let port = u16::try_from(
        get.wait_for(|event| event["event"] == "listening")["port"]
            .as_u64()
            .unwrap(),
    )
    .unwrap();
    // The download has started with the peer that has the data.
    get.wait_for(|event| event["event"] == "progress" && event["downloaded"].as_u64() > Some(0));
    let torrent =
        aqueduct_core::meta::Metainfo::parse(&fs::read(world.path("many.torrent")).unwrap())
            .unwrap();
    let crowd: Vec<TcpStream> = (0..80u8)
        .filter_map(|n| connect(port, torrent.info.info_hash.wire(), n))
        .collect();
    get.wait_for(|event| event["event"] == "finished");
    assert_eq!(get.exit_code(), Some(0));
    drop(crowd);
    world.ok(&["verify", "many.torrent", "out"]);
}

/// Connects a peer that completes the handshake and stays. It may be accepted late.
fn connect(port: u16, info_hash: aqueduct_core::types::InfoHashV1, n: u8) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .write_all(
            &Handshake {
                reserved: Reserved::OURS,
                info_hash,
                peer_id: PeerId([n; 20]),
            }
            .encode(),
        )
        .ok()?;
    stream
        .set_read_timeout(Some(std::time::Duration::from_millis(50)))
        .ok()?;
    let _ = stream.read(&mut [0; 68]);
    Some(stream)
}

#[test]
fn the_manual_has_every_option_of_every_command() {
    let world = World::new();
    let manual = world.ok(&["man"]).replace(r"\-", "-");
    let mut known = 0;
    for command in ["get", "seed", "create", "show", "verify", "completions"] {
        let help = world.ok(&[command, "--help"]);
        let start = manual
            .find(&format!(".SH \"AQUEDUCT {}\"", command.to_uppercase()))
            .unwrap();
        let section = manual[start + 1..].split("\n.SH ").next().unwrap();
        let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        for option in words.filter(|word| {
            word.len() > 2
                && word.starts_with("--")
                && help.contains(&format!("{word}\n")) | help.contains(&format!("{word} "))
        }) {
            assert!(
                section.contains(option),
                "{command} {option} is missing in {section}"
            );
            known += 1;
        }
    }
    assert!(known > 60, "{known}");
}

#[test]
fn a_limit_of_open_files_that_is_too_low_is_named() {
    let world = World::new();
    world.shared();
    let script = r#"ulimit -n 12; exec "$0" "$@""#;
    for command in [
        &["verify", "data.torrent"][..],
        &["seed", "data.torrent", "--port", "0"],
    ] {
        let args = [&["-c", script, env!("CARGO_BIN_EXE_aqueduct")], command].concat();
        let output = world.command("sh", &args).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("12 files") && said.contains("ulimit -n"),
            "{said}"
        );
    }
}
