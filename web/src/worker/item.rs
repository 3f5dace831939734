//! What the worker knows of a torrent beyond what the engine does: where it came from, where it
//! lies, who looks for its peers.

use std::collections::BTreeSet;
use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::tunnel::{DhtCounts, PeerCounts, TrackerCounts};
use aqueduct_core::types::{Bitfield, InfoHash, TorrentId};
use aqueduct_core::{Instant, PeerFailures, Resumed};

use super::hints::Hints;
use super::layout::ends;
use super::places::Seat;
use super::records::Durable;
use super::room::Room;
use super::store::Place;
use super::tabs::Tab;

/// One torrent.
pub(super) struct Item {
    /// Its name in the engine, and between page and worker.
    pub(super) id: TorrentId,
    /// Where the torrent came from; its link. Trackers are kept in tiers, beside it.
    pub(super) magnet: Magnet,
    /// Tiers of tracker URLs.
    pub(super) trackers: Vec<Vec<String>>,
    /// The folder of its data.
    pub(super) folder: String,
    /// Once the metadata are there.
    pub(super) info: Option<Arc<Info>>,
    /// Which files are wanted; `None`: all.
    pub(super) wanted: Option<Vec<bool>>,
    /// Paused by the user.
    pub(super) paused: bool,
    /// Its data were deleted while it was open, and the user has not said yet whether to fetch them
    /// again.
    pub(super) cleared: bool,
    /// What is known of its data when the metadata come.
    pub(super) left: Resumed,
    /// When the user added it, milliseconds since 1970; 0: not known.
    pub(super) added: u64,
    /// Removed by the user: at this time its data are deleted.
    pub(super) leaves_at: Option<Instant>,
    /// How it stands with the bridge.
    pub(super) seat: Seat,
    /// What the bridge last said of its search.
    pub(super) said: Said,
    /// How peers to which there was a stream came to nothing, this run.
    pub(super) failures: PeerFailures,
    /// What the bridge is to hear of peers.
    pub(super) hints: Hints,
    /// Whether the storage has room for it.
    pub(super) room: Room,
    /// The tabs whose pages show its files.
    pub(super) shown: BTreeSet<Tab>,
    /// Pieces had when the progress of its files was told last.
    pub(super) told: Option<u32>,
    saved: Saved,
}

/// What a bridge says of its search for peers.
#[derive(Default)]
pub(super) struct Said {
    /// Of the trackers.
    pub(super) trackers: TrackerCounts,
    /// Of the DHT, if it asks there.
    pub(super) dht: Option<DhtCounts>,
    /// Of peers.
    pub(super) peers: PeerCounts,
}

/// What the next resume record says.
struct Saved {
    durable: Durable,
    have: Bitfield,
    uploaded: u64,
    downloaded: u64,
}

impl Item {
    /// A torrent that was not there before.
    pub(super) fn new(
        id: TorrentId,
        magnet: Magnet,
        trackers: Vec<Vec<String>>,
        info: Option<Arc<Info>>,
    ) -> Self {
        let wanted = info.as_ref().and_then(|info| selected(&magnet, info));
        Self {
            id,
            folder: magnet.info_hash.wire().to_string(),
            magnet,
            trackers,
            info,
            wanted,
            paused: false,
            cleared: false,
            left: Resumed::Nothing,
            added: 0,
            leaves_at: None,
            seat: Seat::Out,
            said: Said::default(),
            failures: PeerFailures::default(),
            hints: Hints::default(),
            room: Room::Unknown,
            shown: BTreeSet::new(),
            told: None,
            saved: Saved {
                durable: Durable::default(),
                have: Bitfield::none(0),
                uploaded: 0,
                downloaded: 0,
            },
        }
    }

    /// From a magnet link, each of whose trackers is a tier of its own.
    pub(super) fn from_magnet(id: TorrentId, magnet: Magnet) -> Self {
        let trackers = magnet
            .trackers
            .iter()
            .map(|url| vec![url.clone()])
            .collect();
        Self::new(id, magnet, trackers, None)
    }

    /// From a .torrent file.
    pub(super) fn from_metainfo(id: TorrentId, metainfo: Metainfo) -> Self {
        Self::new(
            id,
            metainfo.magnet(),
            metainfo.trackers,
            Some(metainfo.info),
        )
    }

    /// From the resume record of an earlier run, in this folder.
    pub(super) fn from_record(
        id: TorrentId,
        folder: &str,
        generation: u64,
        record: Record,
        info: Option<Arc<Info>>,
    ) -> Self {
        let trackers = record.trackers.concat();
        let name = info.as_ref().map(|info| info.name.clone()).or(record.name);
        let magnet = Magnet {
            info_hash: record.info_hash,
            name,
            trackers,
            web_seeds: Vec::new(),
            peers: Vec::new(),
            select: None,
        };
        let mut item = Self::new(id, magnet, record.trackers, info);
        item.folder = folder.to_owned();
        item.wanted = record.wanted;
        item.paused = record.paused;
        item.added = record.added;
        item.saved = Saved {
            durable: Durable::from_generation(generation),
            have: record.have,
            uploaded: record.uploaded,
            downloaded: record.downloaded,
        };
        item
    }

    /// Whether it is known to be private (BEP 27).
    pub(super) fn is_private(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.private)
    }

    /// The metadata of a magnet link have come.
    pub(super) fn learn(&mut self, info: &Arc<Info>) {
        if info.private {
            self.hints.forget();
            self.said.dht = None;
        }
        self.wanted = selected(&self.magnet, info);
        self.magnet.name = Some(info.name.clone());
        self.info = Some(Arc::clone(info));
    }

    /// What the torrent is called, as it came.
    pub(super) fn name(&self) -> String {
        let known = self
            .info
            .as_ref()
            .map(|info| &info.name)
            .or(self.magnet.name.as_ref());
        known
            .cloned()
            .unwrap_or_else(|| self.info_hash().to_string())
    }

    /// Which torrent it is.
    pub(super) fn info_hash(&self) -> InfoHash {
        self.magnet.info_hash
    }

    /// Where its data lie, once it is known what they are.
    pub(super) fn place(&self) -> Option<Place> {
        let info = Arc::clone(self.info.as_ref()?);
        Some(Place {
            torrent: self.id,
            folder: self.folder.clone(),
            info,
        })
    }

    /// Takes note of what the engine wants saved.
    pub(super) fn note(&mut self, have: Bitfield, uploaded: u64, downloaded: u64) {
        self.saved = Saved {
            durable: self.saved.durable.clone(),
            have,
            uploaded,
            downloaded,
        };
    }

    /// Which generation of its record is durable.
    pub(super) fn durable(&self) -> Durable {
        self.saved.durable.clone()
    }

    /// The next record to store.
    pub(super) fn record(&self) -> Record {
        let stamps = self
            .info
            .as_ref()
            .map(|info| ends(info, &self.saved.have))
            .unwrap_or_default();
        Record {
            have: self.saved.have.clone(),
            uploaded: self.saved.uploaded,
            downloaded: self.saved.downloaded,
            stamps: stamps
                .into_iter()
                .map(|size| FileStamp { size, modified: 0 })
                .collect(),
            info: self.info.as_ref().map(|info| info.raw.clone()),
            name: self.magnet.name.clone(),
            trackers: self.trackers.clone(),
            wanted: self.wanted.clone(),
            paused: self.paused,
            added: self.added,
            ..Record::new(self.info_hash())
        }
    }
}

/// The files that a magnet link selects (BEP 53, `so`), as one flag a file.
fn selected(magnet: &Magnet, info: &Info) -> Option<Vec<bool>> {
    let chosen = magnet.select.as_ref()?;
    let mut wanted = vec![false; info.files.len()];
    for &file in chosen {
        if let Some(flag) = wanted.get_mut(file as usize) {
            *flag = true;
        }
    }
    wanted.contains(&true).then_some(wanted)
}
