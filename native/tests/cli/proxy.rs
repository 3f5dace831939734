//! `--proxy`, with a scripted SOCKS5 server.

use std::fs;

use aqueduct_testkit::closed_port;
use aqueduct_testkit::http::{Server, ok};
use aqueduct_testkit::socks::{Manner, Proxy};

use super::world::{World, text};

/// Arguments of a download through `proxy` that gives up after two seconds.
fn get<'a>(proxy: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let get = [
        "get",
        "data.torrent",
        "-oout",
        "--timeout",
        "2s",
        "--proxy",
        proxy,
    ];
    [&get[..], rest].concat()
}

#[test]
fn peers_and_trackers_are_reached_through_the_proxy_which_resolves_names() {
    let world = World::new();
    world.large(1_000_000);
    let (_seed, peer) = world.seed("large.torrent");
    let peer_addr = peer.parse().unwrap();
    let mut server = Server::start(move |_| {
        let std::net::SocketAddr::V4(addr) = peer_addr else {
            panic!("the seed has an IPv4 address")
        };
        let port = addr.port().to_be_bytes();
        ok([
            b"d8:intervali1800e5:peers6:",
            &addr.ip().octets()[..],
            &port,
            b"e",
        ]
        .concat())
    });
    let names = [("tracker.test", server.addr)];
    let proxy = Proxy::start_at([127, 0, 0, 1].into(), Manner::Open, names);
    let (url, tracker) = (proxy.url(), "http://tracker.test/announce");
    world.ok(&[
        "get",
        "large.torrent",
        "-oout",
        "--proxy",
        &url,
        "--tracker",
        tracker,
    ]);
    assert!(world.same("large.bin", "out/large.bin"));
    let requests = proxy.requests();
    assert!(
        requests.contains(&peer) && requests.contains(&"tracker.test:80".to_owned()),
        "{requests:?}"
    );
    // Nobody can connect to us, and trackers refuse port 0.
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.argument("port") == "1")
    );
}

#[test]
fn a_password_comes_from_the_url_a_file_or_the_environment_and_is_told_nowhere() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed_with(&["data.torrent", "data"]);
    let proxy = Proxy::start(Manner::Login("me", "s3cret"));
    let ways: [(String, &[&str], &str); 3] = [
        (format!("socks5://me:s3cret@{}", proxy.addr), &[], ""),
        (
            format!("socks5h://me@{}", proxy.addr),
            &["--proxy-password-file", "password"],
            "",
        ),
        (format!("socks5://me@{}", proxy.addr), &[], "s3cret"),
    ];
    fs::write(world.path("password"), "s3cret\n").unwrap();
    for (number, (url, more, environment)) in ways.iter().enumerate() {
        let out = format!("-oout{number}");
        let get = [
            "get",
            "data.torrent",
            &out,
            "--proxy",
            url,
            "--peer",
            &peer,
            "-vvv",
            "--json",
        ];
        let mut command = world.aqueduct(&[&get[..], more].concat());
        if !environment.is_empty() {
            command.env("AQUEDUCT_PROXY_PASSWORD", environment);
        }
        let output = command.output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn what_the_proxy_does_instead_of_connecting_is_told_in_words() {
    let world = World::new();
    world.shared();
    for (manner, user, words) in [
        (
            Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "",
            "speaks HTTP",
        ),
        (
            Manner::Says(b"\x00\x5b\x00\x00"),
            "",
            "does not speak SOCKS5",
        ),
        (
            Manner::Says(b""),
            "",
            "closed the connection instead of answering",
        ),
        (Manner::Login("me", "right"), "", "requires a login"),
        (
            Manner::Login("me", "right"),
            "me:wrong@",
            "refuses the login",
        ),
    ] {
        let proxy = Proxy::start(manner);
        let url = format!("socks5://{user}{}", proxy.addr);
        let said = world.fails(4, &get(&url, &["--peer", "192.0.2.1:6881"]));
        assert!(
            said.contains(words) && !said.contains("wrong"),
            "{words}: {said}"
        );
        assert!(
            said.contains(&format!("the proxy {}", proxy.addr)),
            "{said}"
        );
    }
    let closed = closed_port();
    let said = world.fails(
        4,
        &get(&format!("socks5://{closed}"), &["--peer", "192.0.2.1:6881"]),
    );
    assert!(
        said.contains(&format!(
            "the proxy {closed} cannot be reached: connection refused"
        )),
        "{said}"
    );
}

#[test]
fn why_a_proxy_does_not_reach_a_peer_is_told_of_that_peer() {
    let world = World::new();
    world.shared();
    for (manner, words) in [
        (Manner::Refuses(1), "general failure"),
        (
            Manner::Refuses(2),
            "does not allow this connection by its rules",
        ),
        (Manner::Refuses(3), "has no route to the network"),
        (Manner::Refuses(4), "cannot reach the host"),
        (Manner::Refuses(5), "it refused the connection"),
        (Manner::Refuses(6), "it did not answer in time"),
        (Manner::Refuses(8), "does not support this kind of address"),
        (
            Manner::Hangs,
            "closed the connection before it had reached 192.0.2.1:6881",
        ),
    ] {
        let proxy = Proxy::start(manner);
        let said = world.fails(4, &get(&proxy.url(), &["--peer", "192.0.2.1:6881", "-v"]));
        assert!(said.contains(words), "{words}: {said}");
        proxy.wait_for("192.0.2.1:6881");
    }
}

#[test]
fn names_of_peers_are_not_looked_up_with_a_proxy() {
    let world = World::new();
    world.shared();
    let proxy = Proxy::start(Manner::Open);
    let named = world.fails(2, &get(&proxy.url(), &["--peer", "peer.test:6881"]));
    assert!(named.contains("give the peer's address"), "{named}");
}

#[test]
fn a_torrent_cannot_reach_what_listens_beside_the_proxy() {
    let world = World::new();
    world.shared();
    let server = Server::start(|_| ok(b"de"));
    let names = [("localhost", server.addr)];
    let proxy = Proxy::start_at([127, 0, 0, 1].into(), Manner::Open, names);
    world.ok(&[
        "create",
        "data",
        "-o",
        "data.torrent",
        "--force",
        "--tracker",
        "http://localhost/reboot",
    ]);
    let said = world.fails(4, &get(&proxy.url(), &[]));
    assert!(said.contains("must have the path /announce"), "{said}");
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}

#[test]
fn a_torrent_file_is_fetched_through_the_proxy() {
    let world = World::new();
    world.shared();
    let torrent = fs::read(world.path("data.torrent")).unwrap();
    let server = Server::start(move |_| ok(&torrent));
    let names = [("site.test", server.addr)];
    let proxy = Proxy::start_at([127, 0, 0, 1].into(), Manner::Open, names);
    let url = proxy.url();
    world.ok(&[
        "get",
        "http://site.test/data.torrent",
        "--list",
        "--proxy",
        &url,
    ]);
    assert_eq!(proxy.requests(), ["site.test:80"]);
}

#[test]
fn values_that_cannot_be_used_end_with_code_2_and_without_the_password() {
    let world = World::new();
    world.shared();
    for (args, words) in [
        (
            &["--proxy", "http://me:s3cret@host:1"][..],
            "only SOCKS5 proxies",
        ),
        (
            &["--proxy", "socks5://me:s3cret@host:0"],
            "the host or the port is wrong",
        ),
        (&["--proxy", "socks5://me@host"], "AQUEDUCT_PROXY_PASSWORD"),
        (
            &[
                "--proxy",
                "socks5://me@host",
                "--proxy-password-file",
                "missing",
            ],
            "first line is the password",
        ),
        (&["--proxy-password-file", "missing"], "--proxy <URL>"),
        (
            &["--proxy", "socks5://me:s3cret@host:1", "--port", "1"],
            "--port",
        ),
        (
            &["--proxy", "socks5://me:s3cret@host:1", "--no-tcp"],
            "--no-tcp",
        ),
    ] {
        for json in [&[][..], &["--json"]] {
            let said = world.fails(2, &[&["get", "data.torrent"], args, json].concat());
            assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
        }
    }
}
