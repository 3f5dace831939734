//! The kinds of SOURCE arguments, and file selection.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{IMPATIENT, World, text};

#[test]
fn a_source_that_is_not_a_torrent_is_named_as_what_it_is() {
    let world = World::new();
    let page: &[u8] = b"<!DOCTYPE html><html><body>Log in first</body></html>";
    let cases = [
        (
            page,
            "x.torrent: this is a web page, not a torrent; the site may ask you to log in first",
        ),
        (b"\x1f\x8b\x08\0", "compressed with gzip"),
        (b"PK\x03\x04", "ZIP archive"),
        (b"magnet:?xt=urn:btih:00\n", "the text of a magnet link"),
        (b"", "this file is empty"),
    ];
    for (bytes, expected) in cases {
        fs::write(world.path("x.torrent"), bytes).unwrap();
        let said = world.fails(3, &["show", "x.torrent"]);
        assert!(said.contains(expected), "{said}");
    }
    assert!(
        world
            .fails(1, &["get", "ftp://x.example/a.torrent"])
            .contains("`ftp:` are not fetched")
    );
    assert!(
        world
            .fails(1, &["get", "file://nas/a.torrent"])
            .contains("another machine")
    );
}

#[test]
fn a_source_that_cannot_be_read_ends_with_the_code_of_storage() {
    let world = World::new();
    world.shared();
    let said = world.fails(5, &["get", "data"]);
    assert!(
        said.contains("could not read data: it is a folder"),
        "{said}"
    );
    let said = world.fails(5, &["get", "data.torrent/within"]);
    assert!(said.contains("Not a directory"), "{said}");
}

#[test]
fn standard_input_and_output_are_called_so() {
    let world = World::new();
    world.shared();
    let said = world.fails(3, &["show", "-"]);
    assert!(
        said.contains("standard input: this file is empty"),
        "{said}"
    );
    let full = fs::File::create("/dev/full").unwrap();
    let mut create = world.aqueduct(&["create", "data", "-o", "-"]);
    let ended = create.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(5));
    let said = text(&ended.stderr);
    assert!(said.contains("could not write standard output: "), "{said}");
}

#[test]
fn a_torrent_is_saved_to_a_device_without_reading_it() {
    let world = World::new();
    let magnet = world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    // Reading it would never end.
    let save = ["--save-torrent", "/dev/full", "-o", "out"];
    let said = world.fails(
        5,
        &World::from(&peer, &[&[magnet.trim()], &save[..]].concat()),
    );
    assert!(
        said.contains("could not write /dev/full: No space left"),
        "{said}"
    );
}

#[test]
fn a_file_url_and_an_escaped_link_are_sources() {
    let world = World::new();
    let magnet = world.shared();
    let hash = |source: &str| {
        serde_json::from_str::<Value>(&world.ok(&["show", source, "--json"])).unwrap()["info_hash_v1"].clone()
    };
    fs::copy(world.path("data.torrent"), world.path("a b.torrent")).unwrap();
    let url = format!("file://{}", world.path("a%20b.torrent").display());
    let escaped = magnet
        .trim()
        .replace('%', "%25")
        .replace(':', "%3A")
        .replace('?', "%3F")
        .replace('=', "%3D")
        .replace('&', "%26");
    assert_eq!(
        [hash(&url), hash(&escaped)],
        [hash("data.torrent"), hash("data.torrent")]
    );
}

#[test]
fn files_are_selected_by_number_and_left_out_by_pattern() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let listed = world.ok(&["get", "data.torrent", "--list"]);
    assert!(
        listed
            .lines()
            .any(|line| line.trim_start().starts_with("2 ") && line.ends_with("data/sub/b.bin")),
        "{listed}"
    );
    world.ok(&World::from(
        &peer,
        &[
            "data.torrent",
            "-o",
            "some",
            "--select",
            "2-4",
            "--exclude",
            "*.bin",
        ],
    ));
    assert!(world.same("data/sub/c.txt", "some/data/sub/c.txt"));
    assert!(!world.path("some/data/empty").exists());
    world.ok(&World::from(
        &peer,
        &["data.torrent", "-o", "most", "--exclude", "0"],
    ));
    assert!(world.same("data/z.bin", "most/data/z.bin") && world.path("most/data/empty").exists());
    assert!(
        !world.path("most/data/a.bin").exists() || !world.same("data/a.bin", "most/data/a.bin")
    );
    assert!(
        world
            .fails(2, &["get", "data.torrent", "-o", "new", "--select", "9"])
            .contains("the numbers 0 to 4")
    );
    assert!(
        world
            .fails(2, &["get", "data.torrent", "-o", "new", "--exclude", "**"])
            .contains("none is left to download")
    );
}

#[test]
fn where_a_torrent_cannot_be_saved_is_told_before_anything_is_fetched() {
    let world = World::new();
    let magnet = world.shared();
    for file in ["nowhere/x.torrent", "data.torrent/x.torrent", "slash/"] {
        let args = ["get", magnet.trim(), "-o", "out", "--save-torrent", file];
        let said = world.fails(5, &[&args[..], &IMPATIENT].concat());
        assert!(said.contains("with --save-torrent"), "{said}");
        assert!(!world.path("out").exists());
    }
    let said = world.fails(5, &["create", "data/a.bin", "-o", "nowhere/x.torrent"]);
    assert!(said.contains("with --output"), "{said}");

    let (_seed, peer) = world.seed("data.torrent");
    let into = ["-o", "new/out", "--save-torrent", "new/out/x.torrent"];
    world.ok(&World::from(&peer, &[&[magnet.trim()], &into[..]].concat()));
    world.ok(&["verify", "new/out/x.torrent", "new/out"]);
}

#[test]
fn the_torrent_that_a_link_led_to_is_saved() {
    let world = World::new();
    world.shared();
    let magnet = world.ok(&[
        "create",
        "data",
        "-o",
        "tracked.torrent",
        "--tracker",
        "http://127.0.0.1:1/announce",
    ]);
    let (_seed, peer) = world.seed("data.torrent");
    let get = |file: &str| {
        world.run(&World::from(
            &peer,
            &[magnet.trim(), "-o", "out", "--save-torrent", file],
        ))
    };
    // Twice: a command that is repeated finds its own file.
    for _ in 0..2 {
        let output = get("saved.torrent");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    world.ok(&["verify", "saved.torrent", "out"]);
    assert!(
        world
            .ok(&["show", "saved.torrent"])
            .contains("http://127.0.0.1:1/announce")
    );
    fs::write(world.path("note.txt"), "mine").unwrap();
    let output = get("note.txt");
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("note.txt is there and is not this torrent"));
    assert_eq!(fs::read(world.path("note.txt")).unwrap(), b"mine");
    let several = world
        .aqueduct(&["get", "data.torrent", "--save-torrent", "x"])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(several.status.code(), Some(2));
    let left: Vec<_> = fs::read_dir(world.path(""))
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
