//! Snapshots for display and announces.

use std::time::Duration;

use super::Swarm;
use super::peers::Opened;
use super::state::State;
use crate::context::Shared;
use crate::io::{PeerSnapshot, Phase, TorrentSnapshot};
use crate::types::{Bitfield, Instant};

impl Swarm {
    pub(crate) fn snapshot(&self, now: Instant, shared: &Shared) -> TorrentSnapshot {
        let content = self.transfer.state.content();
        let pieces = self.transfer.state.pieces();
        let done = content.map_or(0, |content| content.bytes_done());
        let wanted = pieces.map_or(0, |pieces| pieces.bytes_of(pieces.wanted()));
        let down_rate = content.map_or(0, |content| content.download.totals.rate.get(now));
        let useful = |conn| {
            let known = content.and_then(|content| content.download.peer(conn));
            known.is_some_and(|known| known.useful > 0)
        };
        let phase = self.phase();
        let eta = (wanted - done).checked_div(down_rate);
        TorrentSnapshot {
            torrent: self.id,
            info_hash: self.info_hash(),
            phase,
            failure: self.transfer.state.failure(),
            done,
            wanted,
            left: pieces.map_or(0, |pieces| pieces.bytes_left()),
            checked: content
                .and_then(|c| c.checking())
                .map_or(0, |checking| checking.bytes()),
            down_rate,
            up_rate: self.transfer.upload.rate(now),
            downloaded: content.map_or(0, |content| content.download.totals.downloaded),
            uploaded: self.transfer.upload.uploaded(),
            wasted: content.map_or(0, |content| content.download.totals.wasted),
            peers: self.transfer.peers.len(),
            seeds: self
                .transfer
                .peers
                .iter()
                .filter(|(_, peer)| peer.is_seed())
                .count(),
            dialling: self.transfer.peers.dialling(),
            candidates: self.transfer.peers.candidates.idle(),
            blocked: self.transfer.peers.candidates.blocked(),
            unchoking_us: self
                .transfer
                .peers
                .iter()
                .filter(|(_, peer)| !peer.peer_choking)
                .count(),
            interesting: self
                .transfer
                .peers
                .iter()
                .filter(|(conn, _)| useful(*conn))
                .count(),
            waits_for_storage: phase == Phase::Downloading
                && waits_for_storage(&self.transfer.state, shared),
            have: pieces.map_or_else(Bitfield::default, |pieces| pieces.have_beyond_doubt()),
            eta: eta
                .filter(|_| phase == Phase::Downloading)
                .map(Duration::from_secs),
        }
    }

    pub(crate) fn peers(&self, now: Instant) -> Vec<PeerSnapshot> {
        let content = self.transfer.state.content();
        let known = |conn| content.and_then(|content| content.download.peer(conn));
        let peers = self.transfer.peers.iter().map(|(conn, peer)| PeerSnapshot {
            conn,
            addr: peer.addr,
            line: peer.line,
            dialled: peer.opened != Opened::Accepted,
            peer_id: peer.peer_id,
            down_rate: known(conn).map_or(0, |known| known.rate.get(now)),
            up_rate: self.transfer.upload.rate_of(conn, now),
            in_flight: known(conn).map_or(0, |known| known.in_flight()),
            asked: self.transfer.upload.waiting(conn),
            peer_choking: peer.peer_choking,
            am_choking: peer.am_choking,
            peer_interested: peer.peer_interested,
            am_interested: peer.am_interested,
            pieces: peer.have.count(),
        });
        peers.collect()
    }

    /// Whether nothing depends on the time.
    pub(crate) fn is_idle(&self) -> bool {
        let waiting = self
            .transfer
            .state
            .content()
            .is_some_and(|content| content.is_waiting());
        let joined = self.announced && !self.paused && !self.transfer.state.is_checking();
        !joined && !waiting && self.transfer.peers.is_empty()
    }
}

/// Whether a torrent cannot request more because most of the memory for pieces holds some that wait
/// for storage.
fn waits_for_storage(state: &State, shared: &Shared) -> bool {
    let lacks_memory = || {
        let known = state.content().zip(state.pieces());
        known.is_some_and(|(content, pieces)| content.download.lacks_memory(shared, pieces))
    };
    shared.outbox.storing_bytes() > shared.config.max_unwritten / 2 && lacks_memory()
}
