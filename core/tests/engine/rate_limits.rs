//! Rate limits of single torrents, and limits that change while torrents run.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::ConnId;
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{CloseReason, Command, Config, Input, Resumed};
use aqueduct_testkit::torrent::Recipe;

use super::harness::{Harness, PIECE, PIECES, TORRENT};

fn limits(download: Option<u64>) -> Command {
    Command::TorrentLimits {
        torrent: TORRENT,
        download,
        upload: None,
    }
}

/// The bytes that were requested of the torrent's only peer.
fn requested(harness: &Harness, conn: ConnId) -> u64 {
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

/// Every block of the torrent.
fn all_blocks() -> impl Iterator<Item = RawBlock> {
    let length = PIECE / 2;
    (0..PIECES).flat_map(move |index| {
        [0, length].map(|begin| RawBlock {
            index,
            begin,
            length,
        })
    })
}

/// The number of blocks that were sent to a peer.
fn served(harness: &Harness, conn: ConnId) -> usize {
    let to_it = |(to, message): &&(ConnId, Message)| {
        *to == conn && matches!(message, Message::Piece { .. })
    };
    harness.sent.iter().filter(to_it).count()
}

#[test]
fn an_upload_limit_is_shared_by_all_who_ask() {
    let mut harness = Harness::seed();
    harness.command(Command::Limits {
        download: None,
        upload: Some(4 * u64::from(PIECE)),
    });
    let peers = [1, 2, 3].map(|n| harness.accept(n, &format!("9.9.9.{n}:1000")));
    for peer in peers {
        harness.say(peer, Message::Interested);
        all_blocks().for_each(|raw| drop(harness.say(peer, Message::Request(raw))));
    }
    let mut left = 0;
    for _ in 0..500 {
        harness.run(Duration::from_millis(10));
        let new = harness.sent[left..].to_vec();
        left = harness.sent.len();
        for (conn, message) in new {
            let bytes = message.wire_len();
            harness.hear(Input::Sent { conn, bytes });
            if let Message::Piece { index, begin, data } = message {
                let length = data.len() as u32;
                let raw = RawBlock {
                    index,
                    begin,
                    length,
                };
                assert_eq!(harness.say(conn, Message::Request(raw)), None);
            }
        }
    }
    let served = peers.map(|peer| served(&harness, peer));
    assert!(
        (39..=42).contains(&served.iter().sum::<usize>()),
        "{served:?}"
    );
    assert!(served.iter().all(|blocks| *blocks >= 12), "{served:?}");
}

#[test]
fn a_download_limit_is_shared_by_all_torrents() {
    let size = u64::from(PIECE * PIECES);
    let torrents = [("one", 1), ("two", 2)].map(|(name, n)| {
        let torrent = Recipe::single(name, n, size, PIECE).build();
        Arc::new(torrent)
    });
    let mut harness = Harness::sharing(&torrents[0], Config::default(), Resumed::Nothing);
    harness.command(Command::Limits {
        download: Some(4 * u64::from(PIECE)),
        upload: None,
    });
    let first = harness.accept_seed(1, true);
    harness.add_another(&torrents[1]);
    let second = harness.accept_seed(2, true);
    let (seeds, mut read) = ([first, second], 0);
    harness.run_until(Duration::from_secs(3), |harness| {
        let new = harness.sent[read..].to_vec();
        read = harness.sent.len();
        for (conn, message) in new {
            let of = seeds.iter().position(|seed| *seed == conn);
            if let (Message::Request(raw), Some(of)) = (message, of) {
                let at = u64::from(raw.index * PIECE + raw.begin);
                let message = Message::Piece {
                    index: raw.index,
                    begin: raw.begin,
                    data: torrents[of].slice(at, raw.length.into()).to_vec().into(),
                };
                harness.say(conn, message);
            }
        }
        let both = seeds.map(|conn| requested(harness, conn));
        both.iter().sum::<u64>() >= 8 * u64::from(PIECE)
    });
    let both = seeds.map(|conn| requested(&harness, conn));
    assert!(both[0].abs_diff(both[1]) <= u64::from(PIECE), "{both:?}");
}
