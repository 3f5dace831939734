//! What a page shows of an opened torrent.

use std::hash::{DefaultHasher, Hash, Hasher};

use aqueduct_core::connection::{self, Transport};
use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::{PeerAddr, TabId, visible};
use aqueduct_core::{Engine, Instant, PeerSnapshot, TorrentSnapshot};

use super::client_names::client_name;
use super::swarms::{Found, TrackerState};
use super::torrents::Torrent;
use crate::message::{
    Details, Encrypted, Facts, FileRow, Pane, PeerRow, PieceMap, Route, ToPage, TrackerRow,
};
use crate::storage::arrangement::Arrangement;
use crate::storage::layout::amounts;
use crate::texts::peers as texts;

/// The sources of what is shown.
pub(super) struct Content<'a> {
    pub(super) torrent: &'a Torrent,
    pub(super) snapshot: &'a TorrentSnapshot,
    pub(super) engine: &'a Engine,
    /// What the bridge found, if it was asked.
    pub(super) found: Option<&'a Found>,
    pub(super) now: Instant,
}

impl Content<'_> {
    /// A number that differs if what a tab shows has changed.
    pub(super) fn version(&self, pane: Pane) -> u64 {
        match pane {
            Pane::Files | Pane::Pieces => self.snapshot.have.count().into(),
            Pane::Peers => hash(&self.peers()),
            Pane::Trackers => hash(&self.trackers()),
            Pane::Details => hash(&self.details()),
        }
    }

    /// What a tab shows; `None` while there is nothing to show.
    pub(super) fn message(&self, pane: Pane) -> Option<ToPage> {
        let id = self.torrent.id.0;
        Some(match pane {
            Pane::Files => {
                let info = self.torrent.info.as_deref()?;
                ToPage::FilesDone(id, files_done(info, self.snapshot))
            }
            Pane::Pieces => ToPage::Pieces(id, pieces(self.snapshot)),
            Pane::Peers => ToPage::Peers(id, self.peers()),
            Pane::Trackers => ToPage::Trackers(id, self.trackers()),
            Pane::Details => ToPage::Details(id, self.details()),
        })
    }

    fn peers(&self) -> Vec<PeerRow> {
        let peers = self.engine.peers(self.torrent.id);
        peers.iter().map(peer).collect()
    }

    fn trackers(&self) -> Vec<Vec<TrackerRow>> {
        let row = |url: &String| {
            let known = self.found.and_then(|found| found.tracker(url));
            tracker(url, known, self.now)
        };
        let tiers = self.torrent.trackers.iter();
        tiers.map(|tier| tier.iter().map(row).collect()).collect()
    }

    fn details(&self) -> Details {
        let info = self.torrent.info.as_ref();
        let hash = self.torrent.info_hash();
        Details {
            v1: hash.v1().map(|hash| hash.to_string()),
            v2: hash.v2().map(|hash| hash.to_string()),
            piece_length: info.map_or(0, |info| info.lengths.piece_length()),
            private: self.torrent.is_private(),
            facts: visible_facts(&self.torrent.facts),
            wasted: self.snapshot.wasted,
            options: self.torrent.options,
        }
    }
}

/// The facts with control characters made visible.
fn visible_facts(facts: &Facts) -> Facts {
    let shown = |text: &String| visible(text).into_owned();
    Facts {
        web_seeds: facts.web_seeds.iter().map(shown).collect(),
        comment: facts.comment.as_ref().map(shown),
        created_by: facts.created_by.as_ref().map(shown),
        created: facts.created,
    }
}

/// A number that stands for a value until the worker ends.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn peer(peer: &PeerSnapshot) -> PeerRow {
    PeerRow {
        conn: hash(&peer.conn),
        address: match peer.addr {
            PeerAddr::Ip(address) => address.to_string(),
            PeerAddr::Tab(TabId(number)) => texts::tab(number),
        },
        client: client_name(peer.peer_id),
        route: match peer.line.transport {
            Transport::Tcp => Route::Tcp,
            Transport::Utp => Route::Utp,
            Transport::Pipe => Route::RelayedTab,
            Transport::WebRtc => Route::Tab,
        },
        encrypted: match peer.line.encrypted {
            connection::Encrypted::Nothing => Encrypted::Nothing,
            connection::Encrypted::Handshake => Encrypted::Handshake,
            connection::Encrypted::Everything => Encrypted::Everything,
        },
        dialled: peer.dialled,
        down: peer.down_rate,
        up: peer.up_rate,
        pieces: peer.pieces,
        choking: peer.peer_choking,
        choked: peer.am_choking,
        interested: peer.peer_interested,
        wanted: peer.am_interested,
        requested: peer.in_flight > 0,
        requesting: peer.asked > 0,
    }
}

fn tracker(url: &str, known: Option<&TrackerState>, now: Instant) -> TrackerRow {
    TrackerRow {
        url: visible(url).into_owned(),
        answer: known.map_or_else(Default::default, |known| known.answer.clone()),
        asking: known.is_some_and(|known| known.asking),
        text: known
            .and_then(|known| known.text.as_deref())
            .map(|text| visible(text).into_owned()),
        next: known
            .and_then(|known| known.next)
            .map(|next| u32::try_from(next.since(now).as_secs()).unwrap_or(u32::MAX)),
    }
}

fn pieces(snapshot: &TorrentSnapshot) -> PieceMap {
    let have = &snapshot.have;
    PieceMap {
        number: have.len(),
        complete: have.count(),
        bits: hex(have.as_bytes()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Files without padding, with their indices.
pub(super) fn shown_files(info: &Info) -> impl Iterator<Item = (usize, &File)> {
    info.files.iter().enumerate().filter(|(_, file)| !file.pad)
}

/// The files of a torrent; none until its metadata are known.
pub(super) fn files(torrent: &Torrent) -> Vec<FileRow> {
    let Some(info) = &torrent.info else {
        return Vec::new();
    };
    let arrangement = Arrangement::new(info);
    let row = |(index, file): (usize, &File)| {
        let path = if info.multi {
            file.path.get(1..).unwrap_or_default()
        } else {
            &file.path
        };
        let slot = arrangement.slot(index);
        FileRow {
            index: count(index),
            path: path.join("/"),
            name: file.path.last().cloned().unwrap_or_default(),
            size: file.size,
            container: slot.shared.then(|| (count(slot.first), slot.at)),
            priority: torrent.priority(index),
        }
    };
    shown_files(info).map(row).collect()
}

/// Verified bytes of each of [`files`].
fn files_done(info: &Info, snapshot: &TorrentSnapshot) -> Vec<u64> {
    let done = amounts(info, &snapshot.have);
    info.files
        .iter()
        .zip(done)
        .filter(|(file, _)| !file.pad)
        .map(|(_, done)| done)
        .collect()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bitfield_of_a_piece_map_is_hexadecimal() {
        assert_eq!(hex(&[0x00, 0xa5, 0xff]), "00a5ff");
    }
}
