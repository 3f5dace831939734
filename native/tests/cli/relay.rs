//! UDP trackers with `--proxy`: datagrams that a scripted SOCKS5 server relays, or does not.

use std::net::SocketAddr;

use aqueduct_testkit::http::{Server, ok};
use aqueduct_testkit::programs::START;
use aqueduct_testkit::socks::{Manner, Proxy, Relay};
use aqueduct_testkit::tracker::Tracker;

use super::world::{LOCAL, World, text};

/// Arguments of a download through `proxy`, whose trackers name its seed.
fn get<'a>(proxy: &'a str, trackers: &[&'a str]) -> Vec<&'a str> {
    // A failed announce is made again after up to 30 s.
    let get = ["get", "data.torrent", "-oout", "--timeout", "90s"];
    let mut get = [&get[..], &["--proxy", proxy]].concat();
    for tracker in trackers {
        get.extend(["--tracker", tracker]);
    }
    get
}

/// A world with a shared folder, and a tracker at which its seed has announced itself.
fn world() -> (World, Tracker, impl Sized) {
    let (world, tracker) = (World::new(), Tracker::start());
    world.shared();
    let url = tracker.http();
    let seed = ["seed", "data.torrent", "data", "--tracker", &url];
    let seed = world.start(&[&seed[..], &LOCAL].concat());
    tracker.wait_for("the seed", START, |said| said.left == 0);
    (world, tracker, seed)
}

#[test]
fn udp_trackers_are_asked_by_name_through_the_proxys_relay() {
    for relay in [Relay::Honest, Relay::Named] {
        let (world, tracker, _seed) = world();
        let names = [("tracker.test", tracker.addr())];
        let proxy = Proxy::relaying(relay, names);
        let url = format!("udp://tracker.test:{}/announce", tracker.addr().port());
        world.ok(&get(&proxy.url(), &[&url]));
        let requests = proxy.requests();
        let asked = format!("udp tracker.test:{}", tracker.addr().port());
        assert!(requests.contains(&asked), "{requests:?}");
        let associations = requests.iter().filter(|one| *one == "udp").count();
        assert_eq!(associations, 1, "{requests:?}");
    }
}

#[test]
fn a_udp_tracker_with_an_address_is_asked_there() {
    let (world, tracker, _seed) = world();
    let proxy = Proxy::start(Manner::Login("me", "secret"));
    let url = format!("socks5://me:secret@{}", proxy.addr);
    world.ok(&get(&url, &[&tracker.udp()]));
    let asked = format!("udp {}", tracker.addr());
    assert!(proxy.requests().contains(&asked), "{:?}", proxy.requests());
}

#[test]
fn junk_fragments_and_datagrams_from_elsewhere_are_dropped() {
    let (world, tracker, _seed) = world();
    let proxy = Proxy::relaying(Relay::Junk, []);
    let said = world.ok(&[&get(&proxy.url(), &[&tracker.udp()])[..], &["-v"]].concat());
    assert!(!said.contains("the tracker refuses"), "{said}");
}

#[test]
fn an_association_that_the_proxy_closes_is_made_again() {
    let (world, tracker, _seed) = world();
    let proxy = Proxy::relaying(Relay::Closes(1), []);
    let mut get = world.start(&[&get(&proxy.url(), &[&tracker.udp()])[..], &["-v"]].concat());
    let failed = get.wait_for(|event| event["event"] == "tracker");
    assert_eq!(failed["result"], "failed", "{failed}");
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("stopped relaying datagrams"), "{message}");
    assert_eq!(get.exit_code(), Some(0));
    let requests = proxy.requests();
    let associations = requests.iter().filter(|one| *one == "udp").count();
    assert_eq!(associations, 2, "{requests:?}");
}

#[test]
fn a_proxy_that_relays_nothing_is_told_once_and_http_trackers_are_asked() {
    for (relay, words) in [
        (Relay::Refuses(7), "it lacks UDP ASSOCIATE"),
        (Relay::Refuses(2), "its rules do not allow it"),
        (Relay::Refuses(1), "general failure"),
    ] {
        let world = World::new();
        world.shared();
        let (_seed, peer) = world.seed_with(&["data.torrent", "data"]);
        let peer: SocketAddr = peer.parse().unwrap();
        let SocketAddr::V4(peer) = peer else {
            panic!("the seed has an IPv4 address")
        };
        let udp = [Tracker::start(), Tracker::start()];
        let (octets, port) = (peer.ip().octets(), peer.port().to_be_bytes());
        let server = Server::start(move |_| {
            ok([b"d8:intervali1800e5:peers6:", &octets[..], &port, b"e"].concat())
        });
        let proxy = Proxy::relaying(relay, []);
        let (url, trackers) = (
            proxy.url(),
            [udp[0].udp(), udp[1].udp(), server.url("/announce")],
        );
        let mut get = get(&url, &trackers.each_ref().map(String::as_str));
        // The sentence is told within a second.
        get.extend(["--seed-time", "2s"]);
        let output = world.run(&get);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{said}");
        let sentence = format!(
            "the proxy {} relays no datagrams, so that trackers over UDP are not asked: it",
            proxy.addr
        );
        // Lines about the search for peers name it per tracker, too.
        let notes = said.lines().filter(|line| line.starts_with("aqueduct: "));
        let notes: Vec<_> = notes.filter(|line| line.contains(&sentence)).collect();
        assert_eq!(notes.len(), 1, "{said}");
        assert!(notes[0].contains(words), "{said}");
        assert!(udp.iter().all(|tracker| tracker.announces().is_empty()));
    }
}

#[test]
fn a_relay_inside_another_network_gets_no_datagram() {
    let world = World::new();
    world.shared();
    let tracker = Tracker::start();
    for (at, words) in [
        (
            SocketAddr::from(([224, 0, 0, 1], 9)),
            "224.0.0.1:9 is inside",
        ),
        (SocketAddr::from(([0; 4], 0)), "port 0"),
    ] {
        let proxy = Proxy::relaying(Relay::At(at), []);
        let url = proxy.url();
        let get = ["get", "data.torrent", "-oout", "--proxy", &url];
        let rest = ["--tracker", &tracker.udp(), "--timeout", "2s"];
        let said = world.fails(4, &[&get[..], &rest].concat());
        assert!(said.contains(words), "{said}");
        assert!(tracker.announces().is_empty());
    }
}
