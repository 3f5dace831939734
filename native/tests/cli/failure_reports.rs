//! Why a download gets no data: responses of trackers, and failures of peers.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use aqueduct_testkit::closed_port;
use aqueduct_testkit::http::{Reply, Server, ok, redirect, response};
use aqueduct_testkit::peer::on_each_connection;
use serde_json::Value;

use crate::world::{IMPATIENT, LOCAL, World, event, events, text};

/// Arguments of a download that gives up after two seconds.
fn get<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    let get = ["get", "data.torrent", "-oout", "--timeout", "2s"];
    [&get[..], &LOCAL, rest].concat()
}

/// A tracker that answers each announce with this body.
fn tracker(body: &'static [u8]) -> Server {
    Server::start(move |_| ok(body))
}

fn told(said: &str, name: &str) -> Vec<Value> {
    events(said)
        .into_iter()
        .filter(|event| event["event"] == name)
        .collect()
}

#[test]
fn a_trackers_refusal_is_reported_in_text_and_json_and_while_running() {
    let world = World::new();
    world.shared();
    let tracker = tracker(b"d14:failure reason21:unregistered\x1b torrente");
    let url = tracker.url("/announce");
    let said = world.fails(4, &get(&["--tracker", &url]));
    assert!(
        said.contains(r#"says "unregistered\u{1b} torrent""#),
        "{said}"
    );
    let said = world.fails(4, &get(&["--tracker", &url, "--json"]));
    let told = event(&said, "tracker");
    assert_eq!(
        (told["result"].as_str(), told["url"].as_str()),
        (Some("failed"), Some(url.as_str()))
    );
    assert_eq!(
        told["message"],
        r"the tracker refuses: unregistered\u{1b} torrent"
    );
    assert_eq!(told["info_hash"].as_str().unwrap().len(), 40);
    let output = world.run(&get(&["--tracker", &url, "-v"]));
    let expected = format!(r"data: tracker {url}: refuses: unregistered\u{{1b}} torrent");
    assert!(
        text(&output.stderr).contains(&expected),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_trackers_warning_is_reported_once() {
    let world = World::new();
    world.shared();
    let tracker = tracker(b"d8:intervali1800e5:peers0:15:warning message14:please upgradee");
    let said = world.fails(4, &get(&["--tracker", &tracker.url("/announce")]));
    assert_eq!(
        said.matches(r#"it warns: "please upgrade""#).count(),
        1,
        "{said}"
    );
    let said = world.fails(4, &get(&["--tracker", &tracker.url("/announce"), "--json"]));
    let told = event(&said, "tracker");
    assert_eq!(
        (
            told["result"].as_str(),
            told["message"].as_str(),
            told["peers"].as_u64()
        ),
        (Some("warning"), Some("please upgrade"), Some(0))
    );
}

#[test]
fn a_tracker_that_closes_the_connection_instead_of_answering_is_told_in_plain_words() {
    let world = World::new();
    world.shared();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    // With and without having read the request: the client sees an end or a reset.
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            if number % 2 == 1 {
                std::io::Read::read(&mut &stream, &mut [0; 512]).ok();
            }
        }
    });
    let [one, other] = ["a", "b"].map(|key| format!("http://{addr}/announce?key={key}"));
    let args = ["--tracker", &one, "--tracker", &other, "--json"];
    let said = world.fails(4, &get(&args));
    for event in told(&said, "tracker") {
        assert_eq!(
            event["message"],
            "the tracker cannot be reached: it closed the connection before it had answered",
            "{said}"
        );
    }
    assert_eq!(told(&said, "tracker").len(), 2, "{said}");
}

#[test]
fn http_errors_and_closed_ports_of_trackers_are_reported() {
    let world = World::new();
    world.shared();
    let gone = Server::start(|_| response("410 Gone", "", b""));
    let [broken, dead] = [gone.addr, closed_port()].map(|addr| format!("http://{addr}/announce"));
    let closed = format!(
        "udp://{}",
        std::net::UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    );
    let said = world.fails(
        4,
        &get(&[
            "--tracker",
            &broken,
            "--tracker",
            &dead,
            "--tracker",
            &closed,
            "--json",
        ]),
    );
    let message = |url: &str| {
        let told = told(&said, "tracker")
            .into_iter()
            .find(|event| event["url"] == *url);
        told.unwrap_or_else(|| panic!("{url}: {said}"))["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(message(&broken).contains("HTTP status 410"), "{said}");
    for url in [&dead, &closed] {
        assert!(message(url).contains("connection refused"), "{said}");
    }
    assert!(
        event(&said, "error")["message"]
            .as_str()
            .unwrap()
            .contains("asked 3 trackers: 3 failed ("),
        "{said}"
    );
}

#[test]
fn peers_failures_are_reported_one_by_one_and_in_a_summary() {
    let world = World::new();
    world.shared();
    let hangs_up = on_each_connection(drop).to_string();
    let stranger = on_each_connection(|mut stream| {
        let mut theirs = [0; 68];
        let _ = stream.read_exact(&mut theirs);
        theirs[28..48].fill(7);
        let _ = stream.write_all(&theirs);
        let _ = stream.read(&mut [0]);
    })
    .to_string();
    let dead = closed_port().to_string();
    let all = [
        "--no-trackers",
        "--peer",
        &dead,
        "--peer",
        &hangs_up,
        "--peer",
        &stranger,
    ];
    let said_of_both = "asked 1 peer: 1 closed in the encrypted handshake";
    let said = world.fails(4, &get(&["--no-trackers", "--peer", &hangs_up]));
    assert!(said.contains(said_of_both), "{said}");
    let all = [&all[..], &["--encryption", "off"]].concat();
    let said = world.fails(4, &get(&all));
    let sentence = "asked 3 peers: 1 refused the connection, 1 closed in the handshake (it may insist on encryption), 1 has another torrent";
    assert!(said.contains(sentence), "{said}");
    let said = world.fails(4, &get(&[&all[..], &["--json"]].concat()));
    for (addr, reason) in [
        (&dead, "connection_refused"),
        (&hangs_up, "closed_in_handshake"),
        (&stranger, "wrong_info_hash"),
    ] {
        let told = told(&said, "peer")
            .into_iter()
            .find(|event| event["address"] == **addr)
            .unwrap_or_else(|| panic!("{addr}: {said}"));
        assert_eq!(
            (told["result"].as_str(), told["reason"].as_str()),
            (Some("failed"), Some(reason))
        );
    }
    let output = world.run(&get(&[&all[..], &["-v"]].concat()));
    let expected = format!("data: peer {dead}: it refused the connection");
    assert!(
        text(&output.stderr).contains(&expected),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn missing_metadata_is_reported_when_no_peer_has_it() {
    let world = World::new();
    let link = world.shared();
    let mute = on_each_connection(|mut stream| {
        let mut theirs = [0; 68];
        let _ = stream.read_exact(&mut theirs);
        // Zero the reserved bytes and the peer id's prefix: another peer id, and no extensions.
        theirs[20..28].fill(0);
        theirs[48..].fill(b'x');
        let _ = stream.write_all(&theirs);
        while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
    })
    .to_string();
    let get = ["get", link.trim(), "--peer", &mute, "-oout"];
    let said = world.fails(4, &[&get[..], &IMPATIENT].concat());
    assert!(
        said.contains("1 peer, no connected peer has sent what the torrent contains yet"),
        "{said}"
    );
}

const NOBODY: &[u8] = b"d8:intervali1800e5:peers0:e";

/// The event and `left` of each announce that was not returned yet.
fn events_told(tracker: &mut Server) -> Vec<(String, String)> {
    let requests = tracker.requests().into_iter();
    let told = requests.map(|request| {
        ["event", "left"]
            .map(|name| request.argument(name).to_owned())
            .into()
    });
    told.collect()
}

#[test]
fn a_download_under_a_second_announces_started_completed_and_stopped_once_each() {
    let world = World::new();
    world.shared();
    let (_seed, seed) = world.seed("data.torrent");
    let expected = [("started", "356385"), ("completed", "0"), ("stopped", "0")]
        .map(|(event, left)| (event.to_owned(), left.to_owned()));
    for (place, delay) in [("quick", 0), ("slow", 300)] {
        let mut tracker = Server::start(move |_| match ok(NOBODY) {
            Reply::Bytes(bytes) => Reply::Delayed(Duration::from_millis(delay), bytes),
            other => other,
        });
        let url = tracker.url("/announce");
        let get = [
            "get",
            "data.torrent",
            "-o",
            place,
            "--timeout",
            "20s",
            "--tracker",
            &url,
        ];
        world.ok(&[&get[..], &LOCAL, &["--peer", &seed]].concat());
        assert_eq!(events_told(&mut tracker), expected, "{place}");
        world.ok(&[&get[..], &LOCAL].concat());
        for request in tracker.requests() {
            assert_eq!(
                (request.argument("downloaded"), request.argument("left")),
                ("0", "0"),
                "earlier runs are over: {request:?}"
            );
            assert_ne!(request.argument("event"), "completed");
        }
    }
}

#[test]
fn a_selection_of_files_never_announces_completed() {
    let world = World::new();
    world.shared();
    let (_seed, seed) = world.seed("data.torrent");
    let mut tracker = tracker(NOBODY);
    let url = tracker.url("/announce");
    let get = [
        "get",
        "data.torrent",
        "-o",
        "out",
        "--timeout",
        "20s",
        "--select",
        "z.bin",
    ];
    world.ok(&[&get[..], &LOCAL, &["--peer", &seed, "--tracker", &url]].concat());
    let told: Vec<String> = events_told(&mut tracker)
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    assert_eq!(told, ["started", "stopped"]);
}

#[test]
fn a_local_tracker_on_the_command_line_may_have_any_path_and_credentials() {
    let world = World::new();
    world.shared();
    let mut tracker = tracker(NOBODY);
    let url = tracker
        .url("/private/tracker.php?key=1")
        .replace("http://", "http://me:secret@");
    let said = world.fails(4, &get(&["--tracker", &url, "--json"]));
    assert_eq!(event(&said, "tracker")["result"], "ok", "{said}");
    assert!(!said.contains("secret"), "{said}");
    let request = tracker.requests().remove(0).head;
    assert!(
        request.starts_with("GET /private/tracker.php?key=1&info_hash="),
        "{request}"
    );
    assert!(
        request.contains("Authorization: Basic bWU6c2VjcmV0\r\n")
            || request.contains("authorization: Basic bWU6c2VjcmV0\r\n"),
        "{request}"
    );
}

#[test]
fn a_refused_redirect_of_a_torrents_address_is_named() {
    let world = World::new();
    let server = Server::start(|_| redirect("ftp://elsewhere/a.torrent"));
    let said = world.fails(1, &["get", &server.url("/a.torrent")]);
    assert!(
        said.contains(
            "it redirects to ftp://elsewhere/a.torrent: the address cannot be used: only http"
        ),
        "{said}"
    );
}

#[test]
fn web_seeds_are_named_as_unused_where_no_peer_is_found() {
    let world = World::new();
    world.file("one.bin", 40_000);
    let seed = ["--web-seed", "http://127.0.0.1:1/one.bin"];
    let create = ["create", "one.bin", "-o", "one.torrent"];
    let magnet = world.ok(&[&create[..], &seed].concat());
    world.ok(&["create", "one.bin", "-o", "plain.torrent"]);
    let said = |source: &str| {
        let get = ["get", source, "-o", "out"];
        world.fails(4, &[&get[..], &IMPATIENT].concat())
    };
    for source in ["one.torrent", magnet.trim()] {
        let said = said(source);
        assert!(said.contains("web seeds are not used"), "{said}");
    }
    assert!(!said("plain.torrent").contains("web seeds"));
}
