//! A hybrid torrent (BEP 52) has two info-hashes, and peers may use either.

use std::sync::Arc;

use aqueduct_core::bencode::Encoder;
use aqueduct_core::connection::{Line, Transport};
use aqueduct_core::meta::{Info, Magnet};
use aqueduct_core::types::{ConnId, InfoHash, InfoHashV1, PeerId};
use aqueduct_core::wire::{Message, Reserved};
use aqueduct_core::{
    CloseReason, Command, CommandError, Config, Engine, Event, Handshaken, Input, Instant,
    NewTorrent, Output, Resumed, TorrentId, TorrentSource,
};
use bytes::Bytes;

const NOW: Instant = Instant::ZERO;
const TORRENT: TorrentId = TorrentId(1);

/// A torrent with one file of 20,000 bytes.
fn hybrid() -> Info {
    let mut leaf = Encoder::new();
    leaf.int("length", 20_000).bytes("pieces root", [5; 32]);
    let mut file = Encoder::new();
    file.put("", &leaf);
    let mut tree = Encoder::new();
    tree.put("t", &file);
    let mut info = Encoder::new();
    info.bytes("name", "t")
        .int("piece length", 16_384)
        .int("length", 20_000)
        .bytes("pieces", [7; 40])
        .int("meta version", 2)
        .put("file tree", &tree);
    let info = Info::parse(info.finish().into()).unwrap();
    assert!(matches!(info.info_hash, InfoHash::Hybrid(..)));
    info
}

fn names(info: &Info) -> [InfoHashV1; 2] {
    let names: Vec<InfoHashV1> = info.info_hash.wire_names().collect();
    names.try_into().unwrap()
}

fn engine() -> Engine {
    Engine::new(Config::default(), PeerId([1; 20]), [0; 32], NOW)
}

fn add(torrent: TorrentId, info: &Arc<Info>) -> Command {
    let source = TorrentSource::Info {
        info: Arc::clone(info),
        resumed: Resumed::Nothing,
        wanted: None,
    };
    new(torrent, source)
}

fn new(torrent: TorrentId, source: TorrentSource) -> Command {
    Command::Add(NewTorrent {
        torrent,
        source,
        paused: false,
    })
}

/// A peer connects with this info-hash.
fn accept(engine: &mut Engine, number: u8, info_hash: InfoHashV1) -> ConnId {
    let conn = ConnId::accepted(number.into());
    engine.handle(
        NOW,
        Input::Accepted {
            conn,
            addr: ([9, 9, 9, number], 6881).into(),
            dialled: false,
            handshake: Handshaken {
                info_hash,
                peer_id: PeerId([number + 100; 20]),
                reserved: Reserved::OURS,
                line: Line::clear(Transport::Pipe),
            },
        },
    );
    conn
}

#[test]
fn peers_find_a_hybrid_torrent_by_its_v1_hash_and_by_its_v2_hash_cut_to_twenty_bytes() {
    let (mut engine, info) = (engine(), Arc::new(hybrid()));
    engine.command(NOW, add(TORRENT, &info)).unwrap();
    for (number, name) in (1..).zip(names(&info)) {
        assert_eq!(engine.find(name), Some(TORRENT));
        accept(&mut engine, number, name);
    }
    assert_eq!(engine.peers(TORRENT).len(), 2);
    let stranger = accept(&mut engine, 3, InfoHashV1([9; 20]));
    let mut outputs = std::iter::from_fn(|| engine.poll_output());
    let is_refusal = |output: &Output| matches!(output, Output::Close { conn, reason: CloseReason::Inactive } if *conn == stranger);
    assert!(outputs.any(|output| is_refusal(&output)));
}

#[test]
fn a_hybrid_torrent_is_there_once_and_gone_by_both_hashes() {
    let (mut engine, info) = (engine(), Arc::new(hybrid()));
    engine.command(NOW, add(TORRENT, &info)).unwrap();
    let again = engine.command(NOW, add(TorrentId(2), &info));
    assert_eq!(again, Err(CommandError::Duplicate(info.info_hash)));
    engine.command(NOW, Command::Remove(TORRENT)).unwrap();
    assert_eq!(names(&info).map(|name| engine.find(name)), [None, None]);
}

#[test]
fn a_magnet_link_with_a_v1_hash_is_found_by_the_v2_hash_once_its_metadata_are_there() {
    let (mut engine, info) = (engine(), hybrid());
    let [v1, v2] = names(&info);
    let magnet: Magnet = format!("magnet:?xt=urn:btih:{v1}").parse().unwrap();
    let add = new(TORRENT, TorrentSource::Magnet(magnet));
    engine.command(NOW, add).unwrap();
    assert_eq!(
        [v1, v2].map(|name| engine.find(name)),
        [Some(TORRENT), None]
    );
    let conn = accept(&mut engine, 1, v1);
    let size = info.raw.len();
    let offer = format!("d1:md11:ut_metadatai3ee13:metadata_sizei{size}ee");
    let head = format!("d8:msg_typei1e5:piecei0e10:total_sizei{size}ee");
    let block = [head.as_bytes(), &info.raw].concat();
    // Extension ids: 0 is the extended handshake, 1 is this engine's id for ut_metadata.
    for (id, payload) in [(0, offer.into_bytes()), (1, block)] {
        let message = Message::Extended {
            id,
            payload: Bytes::from(payload),
        };
        engine.handle(NOW, Input::Message { conn, message });
    }
    let mut outputs = std::iter::from_fn(|| engine.poll_output());
    assert!(outputs.any(|output| matches!(output, Output::Event(Event::Metadata(..)))));
    assert_eq!(engine.find(v2), Some(TORRENT));
}
