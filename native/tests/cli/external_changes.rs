//! Changes to files by other programs during a run, and files that do not belong to the program.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use aqueduct_testkit::peer::{Manner, ScriptedSeed};
use aqueduct_testkit::torrent::{Computed, Recipe};
use serde_json::Value;

use crate::world::{ALONE, IMPATIENT, Running, World, event, text};

const SIZE: u64 = 3 << 20;

/// Creates `large.torrent`, and a seed that has the first half of it.
fn half_a_seed(world: &World) -> (Arc<Computed>, ScriptedSeed) {
    let torrent = Arc::new(Recipe::single("large.bin", 1, SIZE, 1 << 15).build());
    fs::write(world.path("large.torrent"), torrent.metainfo(&[])).unwrap();
    let seed = ScriptedSeed::start(Arc::clone(&torrent), Manner::Half);
    (torrent, seed)
}

/// Starts a download of `large.bin` to `place`.
fn start(world: &World, seed: &ScriptedSeed, place: &str) -> Running {
    let peer = seed.addr.to_string();
    world.start(&World::from(&peer, &["large.torrent", "-o", place]))
}

/// Waits until a download has all that the seed has. It then writes nothing before the seed has
/// more: a change of another program between one of its writes and its look at the file afterwards
/// would pass for its own.
fn wait_for_half(get: &mut Running) {
    get.wait_for(|event| event["done"].as_u64() == Some(SIZE / 2));
}

fn is(name: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == name
}

/// A modification of the file at a path.
type Harm<'a> = &'a dyn Fn(&Path);

#[test]
fn a_file_changed_during_its_download_is_complete_when_reported_finished() {
    let world = World::new();
    let (torrent, seed) = half_a_seed(&world);
    let edit = |path: &Path, at: u64| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .write_all_at(&[0xEE; 5000], at)
            .unwrap()
    };
    let harms: [(&str, Harm<'_>); 6] = [
        ("removed", &|path| fs::remove_file(path).unwrap()),
        ("moved", &|path| {
            fs::rename(path, world.path("elsewhere.bin")).unwrap()
        }),
        ("cut", &|path| {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(100_000)
                .unwrap()
        }),
        ("appended", &|path| {
            fs::File::options()
                .append(true)
                .open(path)
                .unwrap()
                .write_all(b"more")
                .unwrap()
        }),
        ("begun", &|path| edit(path, 0)),
        ("spread", &|path| {
            (0..SIZE).step_by(200_000).for_each(|at| edit(path, at))
        }),
    ];
    let mut running: Vec<_> = harms
        .iter()
        .map(|(place, _)| (*place, start(&world, &seed, place)))
        .collect();
    for ((place, get), (_, harm)) in running.iter_mut().zip(harms) {
        wait_for_half(get);
        harm(&world.path(&format!("{place}/large.bin")));
    }
    seed.complete();
    for (place, mut get) in running {
        get.wait_for(is("changed"));
        get.wait_for(is("finished"));
        assert_eq!(get.exit_code(), Some(0), "{place}");
        assert_eq!(torrent.verify(&world.path(place)), Ok(()), "{place}");
        let again =
            world.ok(&[&["get", "large.torrent", "-o", place, "--json"], &ALONE[..]].concat());
        assert_eq!(
            event(&again, "checked")["have"],
            event(&again, "checked")["pieces"],
            "{place}"
        );
    }
}

#[test]
fn a_download_whose_folder_was_moved_is_not_reported_finished() {
    let world = World::new();
    let (_, seed) = half_a_seed(&world);
    let mut get = start(&world, &seed, "out");
    wait_for_half(&mut get);
    fs::rename(world.path("out"), world.path("elsewhere")).unwrap();
    seed.complete();
    let error = get.wait_for(|event| {
        ["error", "finished"]
            .map(Value::from)
            .contains(&event["event"])
    });
    assert_eq!(error["class"], "storage", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("folder out was moved, removed or replaced"),
        "{message}"
    );
    assert_eq!(get.exit_code(), Some(5));
    // What arrived is where the folder is now, and is downloaded to its end there.
    let peer = seed.addr.to_string();
    let moved = World::from(&peer, &["large.torrent", "-o", "elsewhere", "--json"]);
    let said = world.ok(&moved);
    assert!(
        event(&said, "checked")["have"].as_u64() > Some(40),
        "{said}"
    );
}

#[test]
fn a_download_whose_folder_was_removed_says_so_and_what_to_do() {
    let world = World::new();
    for (place, is_made_again) in [("gone", false), ("new", true)] {
        let (torrent, seed) = half_a_seed(&world);
        let mut get = start(&world, &seed, place);
        wait_for_half(&mut get);
        fs::remove_dir_all(world.path(place)).unwrap();
        if is_made_again {
            fs::create_dir(world.path(place)).unwrap();
        }
        seed.complete();
        let error = get.wait_for(is("error"));
        assert_eq!(error["class"], "storage", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("folder {place} was moved, removed or replaced"))
                && message.contains("start again"),
            "{message}"
        );
        assert_eq!(get.exit_code(), Some(5));
        let peer = seed.addr.to_string();
        world.ok(&World::from(&peer, &["large.torrent", "-o", place]));
        assert_eq!(torrent.verify(&world.path(place)), Ok(()));
    }
}

#[test]
fn a_file_that_replaces_a_download_is_reported_and_left_alone() {
    let world = World::new();
    let (_, seed) = half_a_seed(&world);
    let mut get = start(&world, &seed, "out");
    wait_for_half(&mut get);
    fs::write(world.path("mine"), vec![7; 50_000]).unwrap();
    fs::rename(world.path("mine"), world.path("out/large.bin")).unwrap();
    seed.complete();
    assert_eq!(get.wait_for(is("changed"))["problem"], "replaced");
    let error = get.wait_for(is("error"));
    assert_eq!(error["class"], "storage");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("out/large.bin is there already and is not this torrent's"),
        "{error}"
    );
    assert_eq!(get.exit_code(), Some(5));
    assert_eq!(
        fs::read(world.path("out/large.bin")).unwrap(),
        vec![7; 50_000]
    );
}

#[test]
fn a_seed_notices_edited_pieces_and_seeds_the_others() {
    let world = World::new();
    world.shared();
    let (mut seed, peer) = world.seed("data.torrent");
    let path = world.path("data/a.bin");
    let right = fs::read(&path).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .write_all_at(&[0xEE; 5000], 5 * 16_384)
        .unwrap();
    let changed = seed.wait_for(is("changed"));
    assert_eq!(changed["path"], serde_json::json!(["data", "a.bin"]));
    assert_eq!(
        (&changed["problem"], &changed["pieces"]),
        (&"content".into(), &19.into())
    );
    assert_eq!(seed.wait_for(is("rechecked"))["wrong"], 1);
    let impatient = IMPATIENT;
    world.fails(
        4,
        &[
            &["get", "data.torrent", "-o", "out", "--peer", &peer],
            &impatient[..],
        ]
        .concat(),
    );
    let said = world.fails(6, &["verify", "data.torrent", "out"]);
    assert!(
        said.contains("1 of 22 pieces wrong") && said.contains("data/a.bin: wrong: piece 5"),
        "{said}"
    );
    assert_ne!(
        fs::read(&path).unwrap(),
        right,
        "the edit is its user's, and stays"
    );

    fs::write(&path, &right).unwrap();
    seed.wait_for(is("rechecked"));
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn a_seeds_file_may_be_moved_away_and_back() {
    let world = World::new();
    world.shared();
    let (mut seed, peer) = world.seed("data.torrent");
    fs::rename(world.path("data/a.bin"), world.path("away")).unwrap();
    assert_eq!(seed.wait_for(is("changed"))["problem"], "missing");
    assert_eq!(seed.wait_for(is("rechecked"))["wrong"], 19);
    fs::rename(world.path("away"), world.path("data/a.bin")).unwrap();
    assert_eq!(seed.wait_for(is("changed"))["problem"], "replaced");
    seed.wait_for(is("rechecked"));
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn a_file_of_another_origin_is_replaced_only_with_overwrite() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    for (name, bytes) in [
        ("a.bin", vec![7; 300_000]),
        ("empty", b"notes".to_vec()),
        ("sub/c.txt", b"mine".to_vec()),
    ] {
        let place = format!("out-{}", name.replace('/', "-"));
        let path = world.path(&format!("{place}/data/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        for _ in 0..2 {
            let said = world.fails(5, &World::from(&peer, &["data.torrent", "-o", &place]));
            assert!(
                said.contains(&format!(
                    "{place}/data/{name} is there already and is not this torrent's"
                )),
                "{said}"
            );
            assert!(said.contains("--overwrite"), "{said}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        world.ok(&World::from(
            &peer,
            &["data.torrent", "-o", &place, "--overwrite"],
        ));
        world.ok(&["verify", "data.torrent", &place]);
    }
}

#[test]
fn a_file_that_took_the_place_of_a_finished_download_is_replaced_only_with_overwrite() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let get = World::from(&peer, &["data.torrent", "-o", "out"]);
    for (name, is_alone) in [
        ("sub/c.txt", true),
        ("sub/c.txt", false),
        ("empty", false),
        ("a.bin", true),
    ] {
        world.ok(&[&get[..], &["--overwrite"]].concat());
        if is_alone {
            fs::remove_dir_all(world.path("out")).unwrap();
        }
        let path = world.path(&format!("out/data/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "my own diary").unwrap();
        let said = world.fails(5, &get);
        assert!(
            said.contains(&format!("out/data/{name} is there already")),
            "{said}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"my own diary");
    }
}

#[test]
fn data_without_a_record_is_used_if_a_piece_matches_or_the_file_is_blank() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let get = |more: &[&str]| {
        World::from(&peer, &["data.torrent", "-o", "out"])
            .into_iter()
            .chain(more.to_vec())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let ok = |args: Vec<String>| world.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    ok(get(&[]));
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::remove_file(world.path("out/data/sub/b.bin")).unwrap();
    fs::File::options()
        .write(true)
        .open(world.path("out/data/a.bin"))
        .unwrap()
        .set_len(150_000)
        .unwrap();
    ok(get(&[]));
    ok(vec!["verify".into(), "data.torrent".into(), "out".into()]);

    // As other programs leave it when they allocate the space before they start.
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::remove_dir_all(world.path("out/data")).unwrap();
    fs::create_dir_all(world.path("out/data")).unwrap();
    fs::File::create(world.path("out/data/a.bin"))
        .unwrap()
        .set_len(300_000)
        .unwrap();
    ok(get(&[]));
    ok(vec!["verify".into(), "data.torrent".into(), "out".into()]);
}

#[test]
fn no_torrent_is_created_from_data_that_changes_meanwhile() {
    let world = World::new();
    let path = world.path("large.bin");
    fs::File::create(&path).unwrap().set_len(48 << 20).unwrap();
    let mut create = world
        .aqueduct(&["create", "large.bin", "-o", "large.torrent"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let mut at = 0;
    while create.try_wait().unwrap().is_none() {
        file.write_all_at(b"x", at % (48 << 20)).unwrap();
        at += 4097;
    }
    let output = create.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("large.bin was changed by another program meanwhile"),
        "{}",
        text(&output.stderr)
    );
    assert!(!world.path("large.torrent").exists());
}
