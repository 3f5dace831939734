//! Rate limits of single torrents, and limits that change while torrents run.

use std::time::Duration;

use aqueduct_core::{CloseReason, Command};

use super::harness::{Harness, PIECE, TORRENT};

fn limits(download: Option<u64>) -> Command {
    Command::TorrentLimits {
        torrent: TORRENT,
        download,
        upload: None,
    }
}

/// The bytes that were requested of the torrent's only peer.
fn requested(harness: &Harness, conn: aqueduct_core::types::ConnId) -> u64 {
    let asked = harness.asked(conn);
    asked.iter().map(|raw| u64::from(raw.length)).sum()
}

#[test]
fn a_torrents_own_limit_slows_its_requests_until_it_is_lifted() {
    let mut harness = Harness::leech();
    harness.command(limits(Some(PIECE.into())));
    let seed = harness.accept_seed(1, true);
    let started = harness.now;
    harness.run_until(Duration::from_secs(9), |harness| {
        harness.answer_all(seed, |_| false);
        requested(harness, seed) >= u64::from(PIECE) * 4
    });
    let took = harness.now.since(started);
    assert!(took >= Duration::from_secs(3), "{took:?}");
    harness.command(limits(None));
    harness.run_until(Duration::from_secs(3), |harness| {
        harness.answer_all(seed, |_| false);
        harness.snapshot().left == 0
    });
}

#[test]
fn a_torrent_that_is_added_again_has_no_limit() {
    let mut harness = Harness::leech();
    harness.command(limits(Some(0)));
    let seed = harness.accept_seed(1, true);
    assert_eq!(requested(&harness, seed), 0);
    harness.command(limits(None));
    harness.run_until(Duration::from_secs(2), |harness| {
        requested(harness, seed) > 0
    });
}

#[test]
fn fewer_peers_per_torrent_apply_at_once_and_those_that_sent_stay() {
    let mut harness = Harness::leech();
    let seed = harness.accept_seed(1, true);
    let others = [2, 3, 4].map(|n| harness.accept(n, &format!("9.9.8.{n}:1000")));
    let first = harness.asked(seed)[0];
    harness.answer(seed, first);
    harness.command(Command::MaxPeers(2));
    assert_eq!(harness.parted(seed), None);
    assert_eq!(harness.parted(others[0]), None);
    for conn in &others[1..] {
        assert_eq!(harness.parted(*conn), Some(CloseReason::Full));
    }
    let late = harness.accept(5, "9.9.8.5:1000");
    assert_eq!(harness.parted(late), Some(CloseReason::Full));
}
