//! Connections to a seed whose remote side says nothing.

use std::net::TcpStream;

use super::world::{ISOLATED, World};

#[test]
fn silent_connections_keep_no_peer_out() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed_with(&["data.torrent", "data"]);
    // More than may be without a handshake at a time. Each is closed after ten seconds, which is
    // longer than the download waits.
    let _silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(&peer).unwrap())
        .collect();
    let get = ["get", "--peer", &peer, "data.torrent", "-o", "out"];
    world.ok(&[&get[..], &ISOLATED, &["--timeout", "8s"]].concat());
    assert!(world.same("data/a.bin", "out/data/a.bin"));
}
