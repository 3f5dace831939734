//! `--blocklist`.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::world::{IMPATIENT, ISOLATED, World, event};

/// Arguments of a download from `peer` that gives up after two seconds.
fn get<'a>(peer: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let get = ["get", "data.torrent", "-oout", "--peer", peer];
    [&get[..], &IMPATIENT, rest].concat()
}

#[test]
fn a_peer_of_the_list_is_not_dialled_and_that_is_told() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed_with(&["data.torrent", "data"]);
    let list = "# a list\nThis machine:127.0.0.0-127.255.255.255\nnonsense\n";
    fs::write(world.path("list.p2p"), list).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(list.as_bytes()).unwrap();
    fs::write(world.path("list.gz"), packed.finish().unwrap()).unwrap();
    for file in ["list.p2p", "list.gz"] {
        let said = world.fails(4, &get(&peer, &["--blocklist", file]));
        assert!(said.contains("the blocklist has 1 range"), "{said}");
        assert!(
            said.contains("1 line was ignored; the first is line 3 (nonsense)"),
            "{said}"
        );
        assert!(said.contains("1 peer on the blocklist"), "{said}");
        let said = world.fails(4, &get(&peer, &["--blocklist", file, "--json"]));
        let list = event(&said, "blocklist");
        assert_eq!(
            (&list["ranges"], &list["malformed"]),
            (&1.into(), &1.into())
        );
        assert_eq!(event(&said, "blocked")["peers"], 1);
    }
    fs::write(
        world.path("other.dat"),
        "10.0.0.0 - 10.255.255.255 , 000 , another\n",
    )
    .unwrap();
    world.ok(&get(&peer, &["--blocklist", "other.dat"]));
}

#[test]
fn a_peer_of_the_list_that_connects_is_refused_over_tcp_and_utp() {
    for transport in ["--no-tcp", "--no-utp"] {
        let world = World::new();
        world.shared();
        fs::write(world.path("list"), "127.0.0.0/8\n").unwrap();
        let (mut seed, peer) = world.seed_with(&["data.torrent", "data", "--blocklist", "list"]);
        let said = world.fails(4, &get(&peer, &[transport]));
        assert!(said.contains("nothing was received"), "{said}");
        seed.signal("INT");
        let told = seed.wait_for(|event| event["event"] == "blocked");
        assert!(
            told["connections"].as_u64().is_some_and(|count| count > 0),
            "{told}"
        );
    }
}

#[test]
fn a_list_that_cannot_be_used_ends_with_code_2_and_says_what_to_do() {
    let world = World::new();
    world.shared();
    fs::write(world.path("page.html"), "<html>\n").unwrap();
    for (file, words) in [
        ("missing", "No such file"),
        ("page.html", "it contains no valid line; line 1 (<html>)"),
    ] {
        let get = [&["get", "data.torrent", "--blocklist", file], &ISOLATED[..]].concat();
        let said = world.fails(2, &get);
        assert!(
            said.contains(words) && said.contains("P2P, DAT or CIDR"),
            "{said}"
        );
    }
}
