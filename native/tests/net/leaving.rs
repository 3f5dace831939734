//! The end of a session: trackers are told, and waited for as long as they are worth it.

use std::time::{Duration, Instant};

use aqueduct_core::Config;
use aqueduct_core::connection::Encryption;
use aqueduct_native::driver::{Driver, Settings};
use aqueduct_native::net::Outbound;
use aqueduct_testkit::http::{Reply, Request, Server};
use tokio::task::LocalSet;

use crate::one_peer;

/// The longest wait.
const LIMIT: Duration = Duration::from_secs(60);

/// A driver with one torrent, which was announced to this tracker.
async fn announced(tracker: &mut Server) -> Driver {
    let driver = Driver::start(Settings {
        config: Config::default(),
        outbound: Outbound::default(),
        port: Some(0),
        tcp: true,
        utp: false,
        trackers: true,
        typed_trackers: Vec::new(),
        dht: None,
        lsd: false,
        encryption: Encryption::Allow,
        port_mapping: None,
        half_open: 10,
    });
    let driver = driver.unwrap();
    let magnet = format!("magnet:?xt=urn:btih:{:040}", 1).parse().unwrap();
    let trackers = vec![vec![tracker.url("/announce")]];
    driver.add_magnet(magnet, trackers).unwrap();
    assert_eq!(tracker.request().await.argument("event"), "started");
    driver
}

/// The time that leaving takes, after which the tracker was told.
async fn leaving(tracker: &mut Server) -> Duration {
    let driver = announced(tracker).await;
    let start = Instant::now();
    driver.leave(LIMIT).await;
    let took = start.elapsed();
    assert_eq!(tracker.request().await.argument("event"), "stopped");
    took
}

fn answers_until_the_end(request: &Request) -> Reply {
    if request.argument("event") == "stopped" {
        Reply::Hang
    } else {
        one_peer()
    }
}

#[tokio::test]
async fn leaving_waits_for_a_tracker_in_proportion_to_its_earlier_answers() {
    let silent = Server::start(|_| Reply::Hang);
    let silent_at_the_end = Server::start(answers_until_the_end);
    for mut tracker in [silent, silent_at_the_end] {
        let took = LocalSet::new().run_until(leaving(&mut tracker)).await;
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}
