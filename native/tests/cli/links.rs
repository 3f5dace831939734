//! Downloads from a link or an info-hash, and downloads that find no peers.

use aqueduct_testkit::closed_port;

use crate::world::{ALONE, IMPATIENT, LOCAL, World, event};

#[test]
fn a_magnet_link_is_enough_to_download_and_its_metadata_is_kept() {
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
fn a_link_with_a_peer_or_a_bare_hash_with_one_is_enough_to_download() {
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
fn a_link_that_selects_files_downloads_only_these() {
    let world = World::new();
    let link = format!("{}&so=4", world.shared().trim());
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &[&link, "-o", "out"]));
    assert!(world.same("data/z.bin", "out/data/z.bin"));
    assert!(!world.path("out/data/a.bin").exists() || !world.same("data/a.bin", "out/data/a.bin"));
}

#[test]
fn a_link_that_selects_no_file_of_the_torrent_is_a_usage_error() {
    let world = World::new();
    let link = format!("{}&so=99", world.shared().trim());
    let (_seed, peer) = world.seed("data.torrent");
    let said = world.fails(2, &World::from(&peer, &[&link, "-o", "out"]));
    assert!(
        said.contains("`so` in the magnet link selects none of the 5 files of this torrent"),
        "{said}"
    );
    assert!(!world.path("out/data").exists());
}

/// BEP 27: a peer in the link may send the metadata. If they say that the torrent is private, only
/// peers from its trackers and from the user are used.
#[test]
fn peers_in_the_link_of_a_private_torrent_only_give_metadata() {
    let world = World::new();
    world.file("secret.bin", 100_000);
    let magnet = world.ok(&["create", "secret.bin", "-o", "secret.torrent", "--private"]);
    let (_seed, peer) = world.seed("secret.torrent");
    let link = format!("{}&x.pe={peer}", magnet.trim());
    let out = ["-o", "out"];
    let said = world.fails(4, &[&["get", &link], &out[..], &IMPATIENT].concat());
    assert!(said.contains("secret.bin"), "it knows the metadata: {said}");
    world.fails(4, &[&["get", &link], &out[..], &IMPATIENT].concat());
    world.ok(&World::from(&peer, &[&link, "-o", "out"]));
}

#[test]
fn a_v2_only_torrent_is_refused_with_advice() {
    let world = World::new();
    let hash = "ab".repeat(32);
    let root = "r".repeat(32);
    let torrent = format!(
        "d4:infod9:file treed1:ad0:d6:lengthi5e11:pieces root32:{root}eee\
         12:meta versioni2e4:name1:a12:piece lengthi16384eee"
    );
    std::fs::write(world.path("v2.torrent"), torrent).unwrap();
    world.file("a", 5);
    let link = format!("magnet:?xt=urn:btmh:1220{hash}");
    for command in [
        &["get", &link][..],
        &["get", &hash],
        &["get", "v2.torrent"],
        &["seed", "v2.torrent", "a"],
        &["verify", "v2.torrent", "a"],
    ] {
        let said = world.fails(3, command);
        assert!(
            said.contains("version 2 only") && said.contains("use a v1 or hybrid torrent"),
            "{said}"
        );
    }
}

#[test]
fn without_peers_a_download_gives_up_in_time_and_reports_what_it_asked() {
    let world = World::new();
    world.shared();
    let tracker = format!("http://{}/announce", closed_port());
    let get = [
        "get",
        "data.torrent",
        "-o",
        "out",
        "--timeout",
        "2s",
        "--tracker",
        &tracker,
    ];
    let silent = [&get[..], &LOCAL].concat();
    let said = world.fails(4, &silent);
    assert!(said.contains("asked 1 tracker: 1 failed"), "{said}");
    let said = world.fails(4, &[&silent[..], &["--json"]].concat());
    assert_eq!(event(&said, "error")["class"], "no_peers");
}
