//! Other clients with the bridge's tracker.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::clients::{aria2, libtorrent, transmission};
use aqueduct_tests::closed_port;
use aqueduct_tests::http::{Reply, Server, ok};
use aqueduct_tests::programs::{self, Program, START, command};
use aqueduct_tests::torrent::{Computed, Recipe};
use tempfile::TempDir;

use super::{DOWNLOAD, full_place, place};

/// A bridge that serves only as the tracker of one torrent.
struct Setup {
    bridge: Bridge,
    torrent: Arc<Computed>,
    folder: TempDir,
    file: PathBuf,
}

impl Setup {
    /// `scheme`: the URL scheme of the tracker in the torrent.
    fn new(seed: u64, scheme: &str) -> Self {
        let (bridge, folder) = (Bridge::start(), TempDir::new().unwrap());
        let torrent = Arc::new(Recipe::awkward(seed).build());
        let file = folder.path().join("setup.torrent");
        let setup = Self {
            bridge,
            torrent,
            folder,
            file,
        };
        std::fs::write(&setup.file, setup.torrent.metainfo(&[setup.url(scheme)])).unwrap();
        setup
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/announce", self.bridge.addr)
    }

    fn place(&self, name: &str) -> PathBuf {
        place(&self.folder, name)
    }

    fn full_place(&self, name: &str) -> PathBuf {
        full_place(&self.folder, name, &self.torrent)
    }

    fn source(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// Our program, with its own state folder.
    fn aqueduct(&self, arguments: &[&str]) -> Program {
        let mut aqueduct = command(programs::aqueduct(), arguments);
        Program::start(aqueduct.env("XDG_STATE_HOME", self.place("state")))
    }

    /// Our program, with trackers as the only source of peers.
    fn on_loopback(&self, arguments: &[&str]) -> Program {
        const LOCAL: [&str; 6] = ["--port", "0", "--bind", "127.0.0.1", "--no-dht", "--no-lsd"];
        self.aqueduct(&[arguments, &LOCAL].concat())
    }

    /// Our program downloads everything from the peers that the tracker returns.
    fn get(&self) {
        let place = self.place("aqueduct");
        let here = place.to_str().unwrap();
        self.on_loopback(&["get", self.source(), "-o", here, "--no-pex"])
            .wait_for_success(DOWNLOAD);
        self.torrent.verify(&place).unwrap();
    }

    /// Our program seeds.
    fn seed(&self) -> Program {
        let place = self.full_place("seed");
        let here = place.to_str().unwrap();
        self.on_loopback(&["seed", self.source(), here, "--no-pex"])
    }

    /// Waits until the tracker counts this many seeds and leeches. Any client may scrape it.
    fn wait_for(&self, seeds: u32, leeches: u32) {
        let (deadline, expected) = (Instant::now() + START, format!("8:completei{seeds}e"));
        let leeches = format!("10:incompletei{leeches}e");
        let mut said = self.scrape();
        while !(said.contains(&expected) && said.contains(&leeches)) {
            assert!(
                Instant::now() < deadline,
                "the tracker says {said}, {expected} and {leeches} were expected"
            );
            std::thread::sleep(Duration::from_millis(50));
            said = self.scrape();
        }
    }

    fn scrape(&self) -> String {
        let hex = self.torrent.hex();
        let hash: String = (0..20)
            .map(|byte| format!("%{}", &hex[2 * byte..2 * byte + 2]))
            .collect();
        let mut stream = TcpStream::connect(self.bridge.addr).unwrap();
        write!(
            stream,
            "GET /scrape?info_hash={hash} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[test]
fn libtorrent_and_we_find_each_other_through_our_tracker_over_udp() {
    let setup = Setup::new(61, "udp");
    let _seed = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    setup.wait_for(1, 0);
    setup.get();
    setup.wait_for(1, 0);
}

#[test]
fn aria2_and_we_find_each_other_through_our_tracker_over_http() {
    let setup = Setup::new(62, "http");
    let _seed = setup.seed();
    setup.wait_for(1, 0);
    let place = setup.place("aria2");
    aria2(&setup.file, &place, false).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

/// Transmission never dials loopback, so our program must dial it.
#[test]
fn we_find_transmission_through_our_tracker_over_http_and_udp() {
    for (seed, scheme) in [(63, "udp"), (64, "http")] {
        let setup = Setup::new(seed, scheme);
        let _seed = transmission(
            &setup.file,
            &setup.full_place("transmission"),
            &setup.place("settings"),
        );
        setup.wait_for(1, 0);
        setup.get();
    }
}

#[test]
fn we_scrape_our_own_tracker_over_http_and_udp() {
    for (seed, scheme) in [(65, "udp"), (66, "http")] {
        let setup = Setup::new(seed, scheme);
        let _seed = setup.seed();
        setup.wait_for(1, 0);
        let mut show = setup.aqueduct(&["show", setup.source(), "--scrape", "--json"]);
        show.wait_for_success(START);
        let object: serde_json::Value = serde_json::from_str(&show.lines()[0]).unwrap();
        let expected = serde_json::json!([{ "url": setup.url(scheme), "seeders": 1, "leechers": 0, "error": null }]);
        assert_eq!(object["scrape"], expected);
    }
}

#[test]
fn libtorrent_reads_our_scrape() {
    let setup = Setup::new(67, "http");
    let _seed = setup.seed();
    setup.wait_for(1, 0);
    let mut scraping =
        aqueduct_tests::clients::libtorrent_scrape(setup.source(), &setup.place("libtorrent"));
    let line = scraping.wait_for_line("\"scraped\"", START);
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (said["complete"].as_i64(), said["incomplete"].as_i64()),
        (Some(1), Some(0)),
        "{line}"
    );
}

#[test]
fn dead_hanging_and_broken_trackers_are_reported_differently_from_an_empty_one() {
    let setup = Setup::new(68, "http");
    let hanging = Server::start(|_| Reply::Hang);
    let page = Server::start(|_| ok("<!DOCTYPE html><p>Welcome</p>"));
    let trackers = [
        hanging.url("/announce"),
        format!("http://{}/announce", closed_port()),
        page.url("/announce"),
        setup.url("http"),
    ];
    std::fs::write(&setup.file, setup.torrent.metainfo(&trackers)).unwrap();
    let place = setup.place("aqueduct");
    let here = place.to_str().unwrap();
    let mut get = setup.on_loopback(&["get", setup.source(), "-o", here, "--timeout", "9s"]);
    assert_eq!(get.wait(START).code(), Some(4), "{}", get.told());
    let expected = "asked 4 trackers: 2 failed, 1 knows no peers, 1 has not answered";
    assert!(
        get.lines().iter().any(|line| line.contains(expected)),
        "{}",
        get.told()
    );
    let mut show = setup.aqueduct(&["show", setup.source(), "--scrape"]);
    show.wait_for_success(START);
    for expected in [
        "did not answer within 15 s",
        "cannot be reached",
        "a web page instead of a list of peers",
        "0 seeds, 0 leeches",
    ] {
        assert!(
            show.lines().iter().any(|line| line.contains(expected)),
            "{expected}{}",
            show.told()
        );
    }
}
