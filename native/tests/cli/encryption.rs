//! `--encryption`, between two programs.

use super::world::World;

#[test]
fn programs_connect_whenever_their_encryption_modes_have_something_in_common() {
    for (seeding, getting) in [
        ("allow", "off"),
        ("allow", "allow"),
        ("allow", "require"),
        ("require", "allow"),
        ("require", "require"),
        ("off", "allow"),
    ] {
        let world = World::new();
        world.large(1_000_000);
        let (_seed, peer) = world.seed_with(&["large.torrent", "--encryption", seeding]);
        let get = ["large.torrent", "-o", "out", "--encryption", getting];
        world.ok(&World::from(&peer, &get));
        assert!(
            world.same("large.bin", "out/large.bin"),
            "{seeding} {getting}"
        );
    }
}

#[test]
fn a_peer_in_the_clear_is_told_apart_where_encryption_is_required() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed_with(&["data.torrent", "data", "--encryption", "off"]);
    let get = [
        "get",
        "--peer",
        &peer,
        "data.torrent",
        "-o",
        "out",
        "--encryption",
        "require",
    ];
    let said = world.fails(4, &[&get[..], &super::world::IMPATIENT].concat());
    assert!(
        said.contains("1 closed in the encrypted handshake"),
        "{said}"
    );
}
