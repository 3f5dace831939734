//! One torrent and its peers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::data::{Checking, Data};
use super::hub::Hub;
use crate::io::{CloseReason, DiscoverRequest, Event, Failure, Phase, Resumed};
use crate::meta::Info;
use crate::peer::Peer;
use crate::torrent::{Candidates, Choker, Rate};
use crate::types::{Bitfield, ConnId, InfoHash, Instant, TorrentId};

#[derive(Debug)]
pub(super) struct Swarm {
    pub(super) id: TorrentId,
    pub(super) info_hash: InfoHash,
    /// `None` until a magnet's metadata are complete and its storage is open.
    pub(super) data: Option<Data>,
    /// Complete metadata whose storage the driver has not opened yet.
    pub(super) fetched: Option<Arc<Info>>,
    /// Which files are wanted, said before the storage was open.
    pub(super) wanted_early: Option<Vec<bool>>,
    pub(super) peers: BTreeMap<ConnId, Peer>,
    pub(super) dials: BTreeMap<ConnId, SocketAddr>,
    pub(super) candidates: Candidates,
    pub(super) choker: Choker,
    pub(super) paused: bool,
    pub(super) failure: Option<Failure>,
    /// Discovery was told to start.
    pub(super) announced: bool,
    /// Peers were told that we are a partial seed (BEP 21).
    pub(super) said_upload_only: bool,
    pub(super) asked_more_at: Instant,
    pub(super) ticks: u32,
    pub(super) uploaded: u64,
    pub(super) downloaded: u64,
    pub(super) wasted: u64,
    pub(super) down: Rate,
    pub(super) up: Rate,
}

impl Swarm {
    pub(super) fn new(id: TorrentId, info_hash: InfoHash, paused: bool, max_candidates: usize) -> Self {
        Self {
            id,
            info_hash,
            data: None,
            fetched: None,
            wanted_early: None,
            peers: BTreeMap::new(),
            dials: BTreeMap::new(),
            candidates: Candidates::new(max_candidates),
            choker: Choker::default(),
            paused,
            failure: None,
            announced: false,
            said_upload_only: false,
            asked_more_at: Instant::ZERO,
            ticks: 0,
            uploaded: 0,
            downloaded: 0,
            wasted: 0,
            down: Rate::default(),
            up: Rate::default(),
        }
    }

    /// Opens the data: what is on disk is checked as `resumed` says, then the swarm is joined.
    pub(super) fn open(&mut self, hub: &mut Hub, now: Instant, info: Arc<Info>, resumed: Resumed, wanted: Option<&[bool]>) {
        let mut data = Data::new(info, wanted);
        let lengths = data.lengths;
        let checking = match resumed {
            Resumed::Nothing => Checking::new(&lengths, [], []),
            Resumed::Check => Checking::new(&lengths, lengths.iter(), []),
            Resumed::Record { have, check, sample, uploaded, downloaded } => {
                (self.uploaded, self.downloaded) = (uploaded, downloaded);
                if have.len() == data.lengths.pieces() {
                    (data.have, data.durable) = (have.clone(), have);
                }
                let pieces = |indices: Vec<u32>| indices.into_iter().filter_map(move |index| lengths.piece(index));
                Checking::new(&lengths, pieces(check), pieces(sample))
            }
        };
        data.checking = Some(checking);
        self.data = Some(data);
        self.check_more(hub, now);
    }

    /// Whether its peers may come from its trackers alone (BEP 27), as far as that is known.
    pub(super) fn is_private(&self) -> bool {
        self.data.as_ref().map(|d| &d.info).or(self.fetched.as_ref()).is_some_and(|info| info.private)
    }

    /// Whether it takes part in the swarm.
    pub(super) fn active(&self) -> bool {
        !self.paused && self.data.as_ref().is_none_or(|d| d.checking.is_none())
    }

    /// Whether blocks may be asked for.
    pub(super) fn downloading(&self) -> bool {
        self.active() && self.failure.is_none() && self.data.as_ref().is_some_and(|d| d.lacking > 0)
    }

    /// Whether all that is wanted is had.
    pub(super) fn complete(&self) -> bool {
        self.data.as_ref().is_some_and(|d| d.lacking == 0 && d.checking.is_none())
    }

    /// Whether all that is wanted is had, and yet not everything (BEP 21).
    pub(super) fn partial_seed(&self) -> bool {
        self.complete() && self.data.as_ref().is_some_and(|d| !d.have.is_all())
    }

    pub(super) fn phase(&self) -> Phase {
        if self.failure.is_some() {
            return Phase::Error;
        }
        match &self.data {
            _ if self.paused => Phase::Paused,
            Some(data) if data.checking.is_some() => Phase::Checking,
            Some(data) if data.lacking == 0 => Phase::Seeding,
            _ if self.peers.is_empty() => Phase::Connecting,
            Some(_) => Phase::Downloading,
            None => Phase::FetchingMetadata,
        }
    }

    /// Joins the swarm.
    pub(super) fn start(&mut self, hub: &mut Hub, now: Instant) {
        if !self.active() || hub.shutting_down {
            return;
        }
        if !self.announced {
            self.announced = true;
            self.asked_more_at = now;
            hub.discover(self.id, DiscoverRequest::Start);
        }
        self.dial_some(hub, now);
    }

    /// Leaves the swarm: closes every connection and dial. What came of unfinished pieces stays in memory.
    pub(super) fn stop(&mut self, hub: &mut Hub, now: Instant) {
        let conns: Vec<ConnId> = self.peers.keys().chain(self.dials.keys()).copied().collect();
        for conn in conns {
            self.drop_conn(hub, now, conn, CloseReason::Inactive);
        }
        if self.announced {
            self.announced = false;
            hub.discover(self.id, DiscoverRequest::Stop);
        }
    }

    /// Forgets the pieces under way and frees their memory.
    pub(super) fn drop_partials(&mut self, hub: &mut Hub) {
        let Some(data) = &mut self.data else { return };
        for (piece, partial) in std::mem::take(&mut data.partials) {
            hub.release(u64::from(data.lengths.size(piece)));
            self.wasted += partial.received();
        }
    }

    /// Stops with an error, told once.
    pub(super) fn fail(&mut self, hub: &mut Hub, failure: Failure) {
        if self.failure.is_none() {
            hub.event(Event::Failed(self.id, failure.clone()));
        }
        self.failure = Some(failure);
    }

    pub(super) fn pieces(&self) -> u32 {
        self.data.as_ref().map_or(0, |d| d.lengths.pieces())
    }

    /// What newcomers and users hear of.
    pub(super) fn have_beyond_doubt(&self) -> Bitfield {
        self.data.as_ref().map_or_else(Bitfield::default, |data| data.beyond_doubt(data.have.clone()))
    }

    /// What is wanted changed, or a piece turned out not to be there: peers are counted anew.
    pub(super) fn recount_peers(&mut self, hub: &mut Hub) {
        let Some(data) = &self.data else { return };
        for peer in self.peers.values_mut() {
            (peer.useful, peer.pickable) = data.count_useful(&peer.have);
        }
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.update_interest(hub, conn));
    }
}
