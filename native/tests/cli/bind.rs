//! `--bind` with the name of an interface.

use super::world::World;

#[test]
fn while_its_interface_is_missing_the_program_says_so_and_uses_no_other() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed_with(&["data.torrent", "data"]);
    let get = |bind| {
        let get = [
            "get",
            "data.torrent",
            "-oout",
            "--peer",
            &peer,
            "--bind",
            bind,
        ];
        [
            &get[..],
            &[
                "--port",
                "0",
                "--no-dht",
                "--no-lsd",
                "--no-trackers",
                "--timeout",
                "2s",
            ],
        ]
        .concat()
    };
    let said = world.fails(4, &get("aq-missing"));
    let trouble = "the interface aq-missing does not exist; nothing is sent or received";
    assert_eq!(
        said.matches(trouble).count(),
        2,
        "a note, and the reason at the end: {said}"
    );
    // The peer is dialled when the interface is there, and not held responsible.
    assert!(said.contains("1 being dialled"), "{said}");
    assert!(!said.contains("could not be reached"), "{said}");
    world.ok(&get("lo"));
}

#[test]
fn an_address_with_a_port_or_a_mistake_is_not_taken_for_an_interface() {
    let world = World::new();
    world.shared();
    for bind in ["10.0.0", "1.2.3.4:80", "eth 0", ""] {
        let said = world.fails(2, &["get", "data.torrent", "--bind", bind]);
        assert!(said.contains("--bind"), "{said}");
    }
}
