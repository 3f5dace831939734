//! The engine's numbers in the page's words.

use aqueduct_core::tunnel::TrackerCounts;
use aqueduct_core::types::{TorrentId, visible};
use aqueduct_core::{Failure, PeerFailure, TorrentSnapshot};

use crate::engine::creation::Making;
use crate::engine::swarms::places::Seat;
use crate::engine::torrent::Item;
use crate::message::{FileRow, Phase, Removed, Search, Torrent, Waiting};
use crate::storage::arrangement::Arrangement;
use crate::storage::layout::amounts;
use crate::storage::store::CLEARED;

/// One torrent as the page shows it; `waiting`: what those wait for who have no place in the
/// bridge.
pub(crate) fn torrent(
    item: &Item,
    snapshot: &TorrentSnapshot,
    waiting: Option<Waiting>,
) -> Torrent {
    Torrent {
        id: item.id.0,
        folder: item.folder.clone(),
        name: name(item),
        magnet: Some(item.magnet.to_string()),
        phase: if item.cleared {
            Phase::Error
        } else {
            phase(snapshot)
        },
        failure: if item.cleared {
            Some(format!("{CLEARED} Press Resume to fetch it again."))
        } else {
            snapshot.failure.as_ref().map(failure)
        },
        added: item.added,
        total: item.info.as_ref().map(|info| info.lengths.total()),
        files: item.info.as_ref().map_or(0, |info| {
            count(info.files.iter().filter(|file| !file.pad).count())
        }),
        done: snapshot.done,
        wanted: snapshot.wanted,
        checked: snapshot.checked,
        down: snapshot.down_rate,
        up: snapshot.up_rate,
        uploaded: snapshot.uploaded,
        wasted: snapshot.wasted,
        peers: count(snapshot.peers),
        seeds: count(snapshot.seeds),
        unchoking: count(snapshot.unchoking_us),
        interesting: count(snapshot.interesting),
        eta: snapshot.eta.map(|eta| eta.as_secs()),
        search: search(item, waiting),
    }
}

/// One that is being made of the user's own files.
pub(crate) fn making(id: TorrentId, making: &Making) -> Torrent {
    Torrent {
        id: id.0,
        name: visible(&making.name).into_owned(),
        added: making.added,
        phase: Phase::Copying,
        total: Some(making.total),
        wanted: making.total,
        checked: making.done,
        ..Torrent::default()
    }
}

/// What a torrent is called, fit to be shown.
pub(crate) fn name(item: &Item) -> String {
    visible(&item.name()).into_owned()
}

fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Storage(error) => error.to_string(),
        Failure::Metadata(why) => format!(
            "This torrent is damaged at its source, or of a kind that this page cannot read. Remove it. ({why})"
        ),
    }
}

/// A torrent that can still be taken back, and so many of those in the list are older.
pub(crate) fn removed(item: &Item, older: usize) -> Removed {
    Removed {
        id: item.id.0,
        name: name(item),
        older: count(older),
    }
}

/// The files of a torrent whose metadata are known; pads are not shown.
pub(crate) fn files(item: &Item) -> Vec<FileRow> {
    let Some(info) = &item.info else {
        return Vec::new();
    };
    let wanted = |index: usize| {
        item.wanted
            .as_ref()
            .is_none_or(|flags| flags.get(index).copied().unwrap_or(true))
    };
    let (shown, arrangement) = (
        info.files.iter().enumerate().filter(|(_, file)| !file.pad),
        Arrangement::new(info),
    );
    let row = |(index, file): (usize, &aqueduct_core::meta::File)| {
        let own = if info.multi {
            file.path.get(1..).unwrap_or_default()
        } else {
            &file.path
        };
        let name = file.path.last().cloned().unwrap_or_default();
        let shared = Some(arrangement.slot(index))
            .filter(|slot| slot.shared)
            .map(|slot| (count(slot.first), slot.at));
        FileRow {
            index: count(index),
            path: visible(&own.join("/")).into_owned(),
            name,
            size: file.size,
            shared,
            wanted: wanted(index),
        }
    };
    shown.map(row).collect()
}

/// Verified bytes of each shown file.
pub(crate) fn files_done(item: &Item, snapshot: &TorrentSnapshot) -> Vec<u64> {
    let Some(info) = &item.info else {
        return Vec::new();
    };
    let done = amounts(info, &snapshot.have);
    info.files
        .iter()
        .zip(done)
        .filter(|(file, _)| !file.pad)
        .map(|(_, done)| done)
        .collect()
}

fn phase(snapshot: &TorrentSnapshot) -> Phase {
    match snapshot.phase {
        aqueduct_core::Phase::Connecting => Phase::Connecting,
        aqueduct_core::Phase::FetchingMetadata => Phase::FetchingMetadata,
        aqueduct_core::Phase::Checking => Phase::Checking,
        aqueduct_core::Phase::Downloading => Phase::Downloading,
        aqueduct_core::Phase::Seeding if snapshot.left > 0 => Phase::Finished,
        aqueduct_core::Phase::Seeding => Phase::Seeding,
        aqueduct_core::Phase::Paused => Phase::Paused,
        aqueduct_core::Phase::Error => Phase::Error,
    }
}

fn search(item: &Item, waiting: Option<Waiting>) -> Search {
    let said = &item.said.trackers;
    let known = item.trackers.iter().map(Vec::len).sum();
    Search {
        waiting: waiting.filter(|_| matches!(item.seat, Seat::Waiting(_))),
        trackers: count(known),
        asking: unheard(said),
        failed: said.failed.into(),
        empty: said.empty.into(),
        answered: said.answered.saturating_sub(said.empty).into(),
        failure: said.failure.map(|failure| failure.to_string()),
        dht: item.said.dht.map(|counts| counts.to_string()),
        found: item.said.peers.found,
        dialling: item.said.peers.dialling,
        unreachable: item.said.peers.failed.min(item.said.peers.found),
        refused: item.said.peers.refused,
        banned: count(item.failures.count(PeerFailure::Banned)),
        hung_up: count(item.failures.count(PeerFailure::Closed)),
        misbehaved: count(item.failures.count(PeerFailure::Protocol)),
        again: said
            .next
            .map(|next| u32::try_from(next.as_secs()).unwrap_or(u32::MAX)),
    }
}

/// Trackers that are being asked for the first time: of the others, what they said last still
/// holds.
fn unheard(said: &TrackerCounts) -> u32 {
    said.asking
        .min(said.total.saturating_sub(said.failed + said.answered))
        .into()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
