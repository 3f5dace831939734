//! Amounts of data of a torrent, from the engine's snapshot.

use aqueduct_core::tunnel::Amounts;
use aqueduct_core::types::TorrentId;
use aqueduct_core::{Engine, Phase};

use super::torrents::Torrent;

/// Bytes that a torrent still has to store.
pub(super) fn outstanding(engine: &Engine, torrent: TorrentId) -> u64 {
    let snapshot = engine
        .snapshot_of(torrent)
        .filter(|s| !matches!(s.phase, Phase::Paused | Phase::Error));
    snapshot.map_or(0, |s| s.wanted.saturating_sub(s.done))
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
