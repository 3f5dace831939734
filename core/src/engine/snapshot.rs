//! What screens and announces show.

use std::time::Duration;

use super::data::Data;
use super::swarm::Swarm;
use crate::io::{PeerSnapshot, Phase, TorrentSnapshot};
use crate::types::Instant;

impl Swarm {
    pub(super) fn snapshot(&self, now: Instant) -> TorrentSnapshot {
        let data = self.data.as_ref();
        let (done, wanted) = data.map_or((0, 0), |d| (d.bytes_done(), d.bytes_of(&d.wanted)));
        let down_rate = self.down.get(now);
        let phase = self.phase();
        TorrentSnapshot {
            torrent: self.id,
            info_hash: self.info_hash,
            phase,
            failure: self.failure.clone(),
            done,
            wanted,
            left: data.map_or(0, Data::left),
            checked: data.and_then(|d| d.checking.as_ref()).map_or(0, |c| c.bytes),
            down_rate,
            up_rate: self.up.get(now),
            downloaded: self.downloaded,
            uploaded: self.uploaded,
            wasted: self.wasted,
            peers: self.peers.len(),
            seeds: self.peers.values().filter(|p| p.have.is_all() && !p.have.is_empty()).count(),
            dialling: self.dials.len(),
            candidates: self.candidates.idle(),
            unchoking_us: self.peers.values().filter(|p| !p.chokes_us).count(),
            interesting: self.peers.values().filter(|p| p.useful > 0).count(),
            have: self.have_beyond_doubt(),
            eta: (wanted - done).checked_div(down_rate).filter(|_| phase == Phase::Downloading).map(Duration::from_secs),
        }
    }

    pub(super) fn peer_snapshots(&self, now: Instant) -> Vec<PeerSnapshot> {
        let peers = self.peers.iter().map(|(&conn, p)| PeerSnapshot {
            conn,
            addr: p.addr,
            peer_id: p.peer_id,
            down_rate: p.down.get(now),
            up_rate: p.up.get(now),
            in_flight: p.in_flight(),
            asked: p.wants.len() + p.reading.len(),
            chokes_us: p.chokes_us,
            choked: p.choked,
            pieces: p.have.count(),
        });
        peers.collect()
    }

    /// Whether nothing here waits for time.
    pub(super) fn idle(&self) -> bool {
        let unflushed = self.data.as_ref().is_some_and(|d| d.unflushed.since.is_some() || !d.stuck.is_empty());
        let joined = self.announced && self.active();
        !joined && !unflushed && self.peers.is_empty()
    }
}
