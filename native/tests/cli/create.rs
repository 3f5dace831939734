//! Creating, showing and verifying torrents.

use std::fs;

use serde_json::Value;

use crate::world::{World, event, events, text};

#[test]
fn a_created_torrent_is_shown_and_verifies() {
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
fn damage_is_reported_by_file_and_piece() {
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
fn what_lies_where_a_file_must_be_is_reported_beside_all_other_damage() {
    let world = World::new();
    world.shared();
    let mut bytes = fs::read(world.path("data/a.bin")).unwrap();
    bytes[5 * 16_384] ^= 1;
    fs::write(world.path("data/a.bin"), bytes).unwrap();
    fs::remove_file(world.path("data/z.bin")).unwrap();
    std::os::unix::fs::symlink("a.bin", world.path("data/z.bin")).unwrap();
    fs::remove_file(world.path("data/empty")).unwrap();
    fs::create_dir(world.path("data/empty")).unwrap();
    fs::remove_dir_all(world.path("data/sub")).unwrap();
    fs::write(world.path("data/sub"), "a file").unwrap();
    let said = world.fails(6, &["verify", "data.torrent"]);
    for line in [
        "data/a.bin: wrong: pieces 5, 18\n",
        "data/empty: cannot be read: it is not a regular file",
        "data/sub/b.bin: cannot be read: ",
        "data/sub/c.txt: cannot be read: ",
        "data/z.bin: cannot be read: ",
        "5 of 22 pieces wrong, in 5 files;",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let said = world.fails(6, &["verify", "data.torrent", "--json"]);
    let problems: Vec<_> = events(&said)
        .into_iter()
        .filter(|event| event["event"] == "mismatch")
        .map(|event| (event["problem"].clone(), event["reason"].is_string()))
        .collect();
    let no_file = || (serde_json::json!("not_a_file"), true);
    let content = (serde_json::json!("content"), false);
    assert_eq!(
        problems,
        [content, no_file(), no_file(), no_file(), no_file()]
    );
    assert_eq!(event(&said, "error")["class"], "mismatch");
}

#[test]
fn what_cannot_be_shared_is_reported_before_anything_is_read() {
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
    // A file size limit simulates a full disk.
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
fn a_torrent_and_an_object_do_not_mix_on_standard_output() {
    let world = World::new();
    world.shared();
    let said = world.fails(2, &["create", "data", "-o", "-", "--json"]);
    assert_eq!(event(&said, "error")["class"], "usage");
    assert_eq!(said.lines().count(), 1, "{said}");
    let output = world.run(&["create", "data", "-o", "-"]);
    assert!(output.status.success() && output.stdout.starts_with(b"d"));
}

#[test]
fn files_of_the_operating_system_are_left_out_unless_they_are_asked_for() {
    let world = World::new();
    fs::create_dir(world.path("trip")).unwrap();
    for name in ["photo.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"] {
        fs::write(world.path("trip").join(name), name).unwrap();
    }
    let files = |torrent: &str| {
        let shown: Value = serde_json::from_str(&world.ok(&["show", torrent, "--json"])).unwrap();
        shown["files"].as_array().unwrap().len()
    };
    let output = world.run(&["create", "trip", "-o", "own.torrent"]);
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");
    for name in [".DS_Store", "Thumbs.db", "desktop.ini"] {
        assert!(told.contains(name), "{told}");
    }
    assert!(told.contains("--keep-system-files"), "{told}");
    assert_eq!(files("own.torrent"), 1);
    world.ok(&["verify", "own.torrent"]);
    world.ok(&["create", "trip", "-o", "all.torrent", "--keep-system-files"]);
    assert_eq!(files("all.torrent"), 4);
}
