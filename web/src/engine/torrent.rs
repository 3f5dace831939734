//! What the worker knows of a torrent beyond what the engine does: where it came from, where it
//! lies, who looks for its peers.

use std::collections::BTreeSet;
use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::tunnel::{DhtCounts, PeerCounts, TrackerCounts};
use aqueduct_core::types::{Bitfield, InfoHash, TorrentId};
use aqueduct_core::{Instant, PeerFailures, Resumed};

use crate::engine::swarms::hints::Hints;
use crate::engine::swarms::places::Seat;
use crate::engine::tabs::Tab;
use crate::storage::layout::ends;
use crate::storage::records::Durable;
use crate::storage::space::Room;
use crate::storage::store::Place;

/// One torrent.
pub(crate) struct Item {
    /// Its name in the engine, and between page and worker.
    pub(crate) id: TorrentId,
    /// Where the torrent came from; its link. Trackers are kept in tiers, beside it.
    pub(crate) magnet: Magnet,
    /// Tiers of tracker URLs.
    pub(crate) trackers: Vec<Vec<String>>,
    /// The folder of its data.
    pub(crate) folder: String,
    /// Once the metadata are there.
    pub(crate) info: Option<Arc<Info>>,
    /// Which files are wanted; `None`: all.
    pub(crate) wanted: Option<Vec<bool>>,
    /// Paused by the user.
    pub(crate) paused: bool,
    /// Its data were deleted while it was open, and the user has not said yet whether to fetch them
    /// again.
    pub(crate) cleared: bool,
    /// What is known of its data when the metadata come.
    pub(crate) left: Resumed,
    /// When the user added it, milliseconds since 1970; 0: not known.
    pub(crate) added: u64,
    /// Removed by the user: at this time its data are deleted.
    pub(crate) leaves_at: Option<Instant>,
    /// How it stands with the bridge.
    pub(crate) seat: Seat,
    /// What the bridge last said of its search.
    pub(crate) said: Said,
    /// How peers to which there was a stream came to nothing, this run.
    pub(crate) failures: PeerFailures,
    /// What the bridge is to hear of peers.
    pub(crate) hints: Hints,
    /// Whether the storage has room for it.
    pub(crate) room: Room,
    /// The tabs whose pages show its files.
    pub(crate) shown: BTreeSet<Tab>,
    /// Pieces had when the progress of its files was told last.
    pub(crate) told: Option<u32>,
    saved: Saved,
}

/// What a bridge says of its search for peers.
#[derive(Default)]
pub(crate) struct Said {
    /// Of the trackers.
    pub(crate) trackers: TrackerCounts,
    /// Of the DHT, if it asks there.
    pub(crate) dht: Option<DhtCounts>,
    /// Of peers.
    pub(crate) peers: PeerCounts,
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
    pub(crate) fn new(
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
    pub(crate) fn from_magnet(id: TorrentId, magnet: Magnet) -> Self {
        let trackers = magnet
            .trackers
            .iter()
            .map(|url| vec![url.clone()])
            .collect();
        Self::new(id, magnet, trackers, None)
    }

    /// From a .torrent file.
    pub(crate) fn from_metainfo(id: TorrentId, metainfo: Metainfo) -> Self {
        Self::new(
            id,
            metainfo.magnet(),
            metainfo.trackers,
            Some(metainfo.info),
        )
    }

    /// From the resume record of an earlier run, in this folder.
    pub(crate) fn from_record(
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
    pub(crate) fn is_private(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.private)
    }

    /// The metadata of a magnet link have come.
    pub(crate) fn learn(&mut self, info: &Arc<Info>) {
        if info.private {
            self.hints.forget();
            self.said.dht = None;
        }
        self.wanted = selected(&self.magnet, info);
        self.magnet.name = Some(info.name.clone());
        self.info = Some(Arc::clone(info));
    }

    /// What the torrent is called, as it came.
    pub(crate) fn name(&self) -> String {
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
    pub(crate) fn info_hash(&self) -> InfoHash {
        self.magnet.info_hash
    }

    /// Where its data lie, once it is known what they are.
    pub(crate) fn place(&self) -> Option<Place> {
        let info = Arc::clone(self.info.as_ref()?);
        Some(Place {
            torrent: self.id,
            folder: self.folder.clone(),
            info,
        })
    }

    /// Takes note of what the engine wants saved.
    pub(crate) fn note(&mut self, have: Bitfield, uploaded: u64, downloaded: u64) {
        self.saved = Saved {
            durable: self.saved.durable.clone(),
            have,
            uploaded,
            downloaded,
        };
    }

    /// Which generation of its record is durable.
    pub(crate) fn durable(&self) -> Durable {
        self.saved.durable.clone()
    }

    /// The next record to store.
    pub(crate) fn record(&self) -> Record {
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
