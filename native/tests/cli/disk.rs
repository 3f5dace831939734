//! Existing data on the disk: missing, wrong, or of another torrent; and the state that a run
//! leaves for the next one.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::world::{ALONE, ISOLATED, Running, World, event, text};

#[test]
fn links_are_neither_shared_nor_followed() {
    let world = World::new();
    world.shared();
    std::os::unix::fs::symlink("/etc/hostname", world.path("data/link")).unwrap();
    let output = world.run(&["create", "data", "-o", "again.torrent"]);
    assert!(text(&output.stderr).contains("leaving out"));
    assert!(!world.ok(&["show", "again.torrent"]).contains("link"));

    let (_seed, peer) = world.seed("data.torrent");
    fs::create_dir_all(world.path("outside")).unwrap();
    fs::create_dir_all(world.path("trap")).unwrap();
    std::os::unix::fs::symlink(world.path("outside"), world.path("trap/data")).unwrap();
    let said = world.fails(5, &World::from(&peer, &["data.torrent", "-o", "trap"]));
    assert!(said.contains("move it away"), "{said}");
    assert_eq!(fs::read_dir(world.path("outside")).unwrap().count(), 0);
}

/// Two torrents of the same name: `data`, with different content in each. Returns seeds of both,
/// with their addresses.
fn rivals(world: &World) -> [(Running, String); 2] {
    world.shared();
    let first = world.seed("data.torrent");
    fs::create_dir_all(world.path("rival/data")).unwrap();
    fs::write(world.path("rival/data/a.bin"), vec![5; 300_000]).unwrap();
    world.ok(&[
        "create",
        "rival/data",
        "-o",
        "rival.torrent",
        "--piece-length",
        "16K",
    ]);
    let second = world.seed_with(&["rival.torrent", "rival"]);
    [first, second]
}

#[test]
fn two_torrents_that_would_write_one_file_are_not_both_downloaded() {
    let world = World::new();
    let [(_a, first), (_b, second)] = rivals(&world);
    let said = world.fails(
        2,
        &World::from(
            &first,
            &[
                "--peer",
                &second,
                "data.torrent",
                "rival.torrent",
                "-o",
                "out",
            ],
        ),
    );
    assert!(
        said.contains("out/data/a.bin is a file of another of the torrents, too"),
        "{said}"
    );
    assert!(said.contains("1 of 2 torrents failed"), "{said}");
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn data_of_another_finished_torrent_is_overwritten_only_with_overwrite() {
    let world = World::new();
    let [(_a, first), (_b, second)] = rivals(&world);
    world.ok(&World::from(&first, &["data.torrent", "-o", "out"]));
    let said = world.fails(5, &World::from(&second, &["rival.torrent", "-o", "out"]));
    assert!(
        said.contains("out/data/a.bin is there already and belongs to the torrent"),
        "{said}"
    );
    world.ok(&["verify", "data.torrent", "out"]);
    world.ok(&World::from(
        &second,
        &["rival.torrent", "-o", "out", "--overwrite"],
    ));
    let said = world.fails(5, &World::from(&first, &["data.torrent", "-o", "out"]));
    assert!(said.contains("belongs to the torrent"), "{said}");
    world.ok(&["verify", "rival.torrent", "out"]);
}

#[test]
fn data_overwritten_by_another_torrent_is_not_trusted() {
    let world = World::new();
    let [(_a, first), (_b, second)] = rivals(&world);
    for _ in 0..2 {
        world.ok(&World::from(
            &first,
            &["data.torrent", "-o", "out", "--overwrite"],
        ));
        world.ok(&["verify", "data.torrent", "out"]);
        world.ok(&World::from(
            &second,
            &["rival.torrent", "-o", "out", "--overwrite"],
        ));
        world.ok(&["verify", "rival.torrent", "out"]);
    }
}

#[test]
fn an_edit_that_kept_size_and_time_is_detected() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    let path = world.path("out/data/a.bin");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, vec![7; 300_000]).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let said = world.ok(&World::from(
        &peer,
        &["data.torrent", "-o", "out", "--json"],
    ));
    assert_eq!(
        event(&said, "checked")["have"],
        3,
        "all of the file was read: {said}"
    );
    assert!(world.same("data/a.bin", "out/data/a.bin"));
}

#[test]
fn a_file_that_grew_is_truncated() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    fs::File::options()
        .append(true)
        .open(world.path("out/data/z.bin"))
        .unwrap()
        .write_all(b"more")
        .unwrap();
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn a_renamed_folder_is_recognised() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    fs::create_dir(world.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere"), world.path("link")).unwrap();
    world.ok(&World::from(&peer, &["data.torrent", "-o", "link/new"]));
    let again = world.ok(&[
        &[
            "get",
            "data.torrent",
            "-o",
            "data/../elsewhere/new",
            "--json",
        ],
        &ALONE[..],
    ]
    .concat());
    assert!(
        event(&again, "checked")["read"].as_u64().unwrap() <= 5 * 16_384,
        "{again}"
    );
}

#[test]
fn a_download_completes_verifies_and_is_known_at_the_next_start() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let said = world.ok(&World::from(
        &peer,
        &["data.torrent", "-o", "out", "--json"],
    ));
    let finished = event(&said, "finished");
    assert_eq!(finished["path"], "out/data");
    assert_eq!(finished["info_hash"], event(&said, "metadata")["info_hash"]);
    for file in ["a.bin", "empty", "sub/b.bin", "sub/c.txt", "z.bin"] {
        assert!(
            world.same(&format!("data/{file}"), &format!("out/data/{file}")),
            "{file}"
        );
    }
    world.ok(&["verify", "data.torrent", "out"]);
    let again = world.ok(&[&["get", "data.torrent", "-o", "out", "--json"], &ALONE[..]].concat());
    let checked = event(&again, "checked");
    assert_eq!(checked["have"], 22);
    assert!(checked["read"].as_u64().unwrap() <= 5 * 16_384, "{checked}");

    let mut harmed = fs::read(world.path("data/z.bin")).unwrap();
    harmed[..20_000].fill(9);
    fs::write(world.path("out/data/z.bin"), harmed).unwrap();
    let repaired = world.ok(&World::from(
        &peer,
        &["data.torrent", "-o", "out", "--json"],
    ));
    assert_eq!(event(&repaired, "checked")["have"], 20);
    assert!(world.same("data/z.bin", "out/data/z.bin"));
}

#[test]
fn an_interrupted_download_reports_that_and_resumes() {
    let world = World::new();
    world.large(8 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = world.start(&World::from(
        &peer,
        &["large.torrent", "-o", "out", "--download-limit", "2M"],
    ));
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    get.signal("INT");
    let error = get.wait_for(|event| event["event"] == "error");
    assert_eq!(error["class"], "interrupted");
    assert_eq!(get.exit_code(), Some(130));
    let said = world.ok(&World::from(
        &peer,
        &["large.torrent", "-o", "out", "--json"],
    ));
    let checked = event(&said, "checked");
    assert!(checked["have"].as_u64().unwrap() > 30, "{checked}");
    assert!(checked["read"].as_u64().unwrap() < 1 << 20, "{checked}");
    assert!(world.same("large.bin", "out/large.bin"));
}

#[test]
fn a_limit_on_the_size_of_files_is_a_failure_of_the_storage() {
    let world = World::new();
    world.large(1 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let get = World::from(&peer, &["large.torrent", "-o", "out", "--json"]);
    let limited = "ulimit -f 100; exec \"$0\" \"$@\"";
    let aqueduct = env!("CARGO_BIN_EXE_aqueduct");
    let ended = world
        .command("sh", &[&["-c", limited, aqueduct], &get[..]].concat())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(5), "{:?}", ended.status);
    let error = event(&text(&ended.stdout), "error");
    assert_eq!(error["class"], "storage");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("1048576 bytes, which is more than one file may have there"),
        "{error}"
    );
}

#[test]
fn losing_the_terminal_interrupts_unless_hangups_are_ignored() {
    let world = World::new();
    world.large(8 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = world.start(&World::from(
        &peer,
        &["large.torrent", "-o", "out", "--download-limit", "2M"],
    ));
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    get.signal("HUP");
    assert_eq!(
        get.wait_for(|event| event["event"] == "error")["class"],
        "interrupted"
    );
    assert_eq!(get.exit_code(), Some(130));

    let deaf = World::from(
        &peer,
        &["large.torrent", "-o", "deaf", "--download-limit", "4M"],
    );
    let mut get = world.start_by(
        "sh",
        &[
            &[
                "-c",
                "trap '' HUP; exec \"$0\" \"$@\"",
                env!("CARGO_BIN_EXE_aqueduct"),
            ],
            &deaf[..],
        ]
        .concat(),
    );
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    get.signal("HUP");
    get.wait_for(|event| event["event"] == "finished");
    assert_eq!(get.exit_code(), Some(0));
}

#[test]
fn a_killed_download_resumes_without_reading_everything_again() {
    let world = World::new();
    world.large(32 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = world.start(&World::from(
        &peer,
        &["large.torrent", "-o", "out", "--download-limit", "2M"],
    ));
    // The first resume record is written with the first flush, after five seconds.
    get.wait_for(|event| {
        event["event"] == "progress" && has_record(&world.path("state/aqueduct"), 2)
    });
    get.signal("KILL");
    get.exit_code();
    let said = world.ok(&World::from(
        &peer,
        &["large.torrent", "-o", "out", "--json"],
    ));
    let checked = event(&said, "checked");
    assert!(checked["have"].as_u64().unwrap() > 30, "{checked}");
    assert!(checked["read"].as_u64().unwrap() < 1 << 20, "{checked}");
    assert!(world.same("large.bin", "out/large.bin"));
}

/// Whether resume records of this many torrents and folders were written.
fn has_record(state: &Path, count: usize) -> bool {
    let files = fs::read_dir(state)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(|file| file.len() > 0).count() >= count
}

#[test]
fn a_second_process_does_not_write_to_the_same_download() {
    let world = World::new();
    world.shared();
    let (_seed, _) = world.seed("data.torrent");
    let said = world.fails(5, &[&["seed", "data.torrent"], &ISOLATED[..]].concat());
    assert!(said.contains("another aqueduct"), "{said}");
}

#[test]
fn storage_that_cannot_be_used_has_an_exit_code_of_its_own() {
    let world = World::new();
    world.shared();
    fs::write(world.path("file"), b"").unwrap();
    let said = world.fails(
        5,
        &[
            &["get", "data.torrent", "-o", "file/below", "--json"],
            &ALONE[..],
        ]
        .concat(),
    );
    assert_eq!(event(&said, "error")["class"], "storage");
    world.fails(5, &["verify", "data.torrent", "nowhere"]);
    world.fails(5, &["create", "nowhere", "-o", "x.torrent"]);
    world.fails(5, &["create", "data", "-o", "nowhere/x.torrent"]);
}

#[test]
fn data_is_searched_beside_the_torrent_and_missing_places_are_reported() {
    let world = World::new();
    world.shared();
    fs::create_dir(world.path("empty")).unwrap();
    let silent = ISOLATED;
    let said = world.fails(
        5,
        &[&["seed", "data.torrent", "empty"], &silent[..]].concat(),
    );
    assert!(
        said.contains("the data of data are not in empty; say where they are"),
        "{said}"
    );
    assert!(!said.contains("pieces wrong"), "{said}");
    let torrent = world.path("data.torrent");
    let elsewhere = |args: &[&str]| {
        world
            .aqueduct(args)
            .current_dir(world.path("empty"))
            .output()
            .unwrap()
    };
    assert!(
        elsewhere(&["verify", torrent.to_str().unwrap()])
            .status
            .success()
    );
    fs::rename(world.path("data"), world.path("empty/renamed")).unwrap();
    let output = elsewhere(&["verify", torrent.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(6));
    assert!(
        text(&output.stderr).contains("are not in . nor in /"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn data_that_does_not_match_is_not_seeded() {
    let world = World::new();
    world.shared();
    fs::write(world.path("data/a.bin"), vec![0; 300_000]).unwrap();
    let said = world.fails(6, &[&["seed", "data.torrent"], &ISOLATED[..]].concat());
    assert!(said.contains("19 of 22 pieces wrong"), "{said}");
}
