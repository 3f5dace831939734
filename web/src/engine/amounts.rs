//! Amounts of data of a torrent, from the engine's snapshot.

use aqueduct_core::tunnel::Amounts;
use aqueduct_core::types::TorrentId;
use aqueduct_core::{Engine, Phase};

use super::torrents::Torrent;

/// Bytes that a torrent still has to store. One that is paused or has failed stores nothing.
pub(super) fn outstanding(engine: &Engine, torrent: TorrentId) -> u64 {
    missing(engine, torrent, &[Phase::Paused, Phase::Error])
}

/// Bytes that must fit when a torrent writes. Those of one that has failed count as well: its writes
/// are retried, and as soon as they succeed it downloads the rest.
pub(super) fn needed(engine: &Engine, torrent: TorrentId) -> u64 {
    missing(engine, torrent, &[Phase::Paused])
}

/// Wanted bytes that are not stored; 0 in one of the idle phases.
fn missing(engine: &Engine, torrent: TorrentId, idle: &[Phase]) -> u64 {
    engine
        .snapshot_of(torrent)
        .filter(|s| !idle.contains(&s.phase))
        .map_or(0, |s| s.wanted.saturating_sub(s.done))
}

/// The amounts of a torrent for announces (BEP 3).
pub(super) fn announced(engine: &Engine, torrent: &Torrent) -> Amounts {
    let snapshot = engine.snapshot_of(torrent.id);
    Amounts {
        uploaded: snapshot.as_ref().map_or(0, |s| s.uploaded),
        downloaded: snapshot.as_ref().map_or(0, |s| s.downloaded),
        left: snapshot.filter(|_| torrent.info.is_some()).map(|s| s.left),
    }
}
