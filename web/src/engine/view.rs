//! The state for the pages, from the engine's snapshot and the worker's own state.

use aqueduct_core::meta::Info;
use aqueduct_core::tunnel::{TrackerCounts, TrackerFailure};
use aqueduct_core::types::{sort, visible};
use aqueduct_core::{Failure, PeerFailure, Snapshot, TorrentSnapshot};

use super::creation::{Creation, Creations};
use super::errors::tracker_failure;
use super::opened::shown_files;
use super::swarms::{Swarm, Swarms};
use super::torrents::{RunState, Torrent, Torrents};
use crate::message::{
    self, BridgeLink, BridgeStatus, DhtSearch, Missing, PeerSearch, Peers, Phase, Progress,
    Removed, Search, State, TrackerSearch, Traffic, WaitReason,
};
use crate::storage::layout::pieces_of;
use crate::texts::{errors, storage};

/// The sources of the state.
pub(super) struct Sources<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) torrents: &'a Torrents,
    pub(super) creations: &'a Creations,
    pub(super) swarms: &'a Swarms,
    /// The session with the bridge.
    pub(super) bridge: BridgeStatus,
    /// What passes through it.
    pub(super) link: BridgeLink,
    /// Players outside the browser.
    pub(super) players: message::Players,
    /// What torrents without a slot wait for.
    pub(super) wait_reason: Option<WaitReason>,
}

/// The complete state.
pub(super) fn state(sources: Sources<'_>) -> State {
    let mut all: Vec<(&Torrent, &TorrentSnapshot)> = sources
        .snapshot
        .torrents
        .iter()
        .filter_map(|snapshot| Some((sources.torrents.get(snapshot.torrent)?, snapshot)))
        .collect();
    sort::sort_by_key(&mut all, |(torrent, _)| (torrent.added, torrent.id));
    let (mut torrents, mut removed, unknown) = (Vec::new(), Vec::new(), Swarm::default());
    for (known, snapshot) in all {
        if known.delete_at.is_some() {
            removed.push(Removed {
                id: known.id.0,
                name: known.visible_name(),
                older: count(torrents.len()),
            });
            continue;
        }
        let swarm = sources.swarms.get(known.id).unwrap_or(&unknown);
        let search = search(known, swarm, sources.wait_reason);
        torrents.push(torrent(known, snapshot, search));
    }
    torrents.extend(sources.creations.iter().map(creation));
    State {
        bridge: sources.bridge,
        link: sources.link,
        players: sources.players,
        torrents,
        removed,
    }
}

fn torrent(torrent: &Torrent, snapshot: &TorrentSnapshot, search: Search) -> message::Torrent {
    let is_cleared = torrent.run == RunState::DataCleared;
    let info = torrent.info.as_ref();
    message::Torrent {
        id: torrent.id.0,
        folder: torrent.folder.clone(),
        name: torrent.visible_name(),
        added: torrent.added,
        magnet: Some(torrent.magnet.to_string()),
        phase: if is_cleared {
            Phase::Error
        } else {
            phase(snapshot)
        },
        failure: if is_cleared {
            Some(storage::cleared().to_owned())
        } else {
            snapshot.failure.as_ref().map(failure)
        },
        files: info.map_or(0, |info| count(shown_files(info).count())),
        pieces: info.map_or(0, |info| info.lengths.pieces()),
        progress: Progress {
            total: info.map(|info| info.lengths.total()),
            done: snapshot.done,
            wanted: snapshot.wanted,
            checked: snapshot.checked,
            eta: snapshot.eta.map(|eta| eta.as_secs()),
        },
        traffic: Traffic {
            down: snapshot.down_rate,
            up: snapshot.up_rate,
            uploaded: snapshot.uploaded,
            downloaded: snapshot.downloaded,
        },
        peers: Peers {
            connected: count(snapshot.peers),
            seeds: count(snapshot.seeds),
            unchoking: count(snapshot.unchoking_us),
            interesting: count(snapshot.interesting),
        },
        storage_is_slow: snapshot.waits_for_storage,
        missing: info.and_then(|info| missing(torrent, info, snapshot)),
        search,
    }
}

/// The pieces that no connected peer has. That is only known if no peer has any of those that are
/// wanted.
fn missing(torrent: &Torrent, info: &Info, snapshot: &TorrentSnapshot) -> Option<Missing> {
    let is_stuck = snapshot.phase == aqueduct_core::Phase::Downloading
        && snapshot.peers > 0
        && snapshot.interesting == 0;
    if !is_stuck {
        return None;
    }
    let wanted = shown_files(info).filter(|(index, _)| torrent.wants(*index));
    let pieces = wanted.flat_map(|(index, _)| pieces_of(info, index));
    let mut missing: Vec<u32> = pieces
        .filter(|piece| !snapshot.have.has(*piece))
        .map(|piece| piece.get())
        .collect();
    // In order; neighbouring files share a piece.
    missing.dedup();
    Some(Missing {
        first: *missing.first()?,
        number: count(missing.len()),
    })
}

fn creation(creation: &Creation) -> message::Torrent {
    message::Torrent {
        id: creation.id.0,
        name: visible(&creation.name).into_owned(),
        added: creation.added,
        phase: Phase::Copying,
        progress: Progress {
            total: Some(creation.total),
            wanted: creation.total,
            checked: creation.done(),
            ..Progress::default()
        },
        ..message::Torrent::default()
    }
}

fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Storage(error) => error.to_string(),
        Failure::Metadata(why) => errors::invalid_metadata(why),
    }
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

fn search(torrent: &Torrent, swarm: &Swarm, wait_reason: Option<WaitReason>) -> Search {
    let found = swarm.found();
    Search {
        waiting: swarm.wait_reason(wait_reason),
        trackers: tracker_search(torrent, &found.trackers),
        dht: found.dht.map(|counts| DhtSearch {
            nodes: counts.nodes,
            peers: counts.peers,
            asking: counts.asking,
        }),
        peers: PeerSearch {
            found: found.peers.found,
            dialling: found.peers.dialling,
            unreachable: found.peers.failed.min(found.peers.found),
            refused: found.peers.refused,
            banned: count(swarm.failures(PeerFailure::Banned)),
            hung_up: count(swarm.failures(PeerFailure::Closed)),
            misbehaved: count(swarm.failures(PeerFailure::Protocol)),
        },
    }
}

fn tracker_search(torrent: &Torrent, counts: &TrackerCounts) -> TrackerSearch {
    TrackerSearch {
        named: count(torrent.trackers.iter().map(Vec::len).sum()),
        asking: never_answered(counts),
        failed: counts.failed.into(),
        empty: counts.empty.into(),
        answered: counts.answered.saturating_sub(counts.empty).into(),
        failure: counts.failure.map(|why| tracker_failure(why).to_owned()),
        unregistered: counts.failure == Some(TrackerFailure::NotRegistered),
        seeders: counts.seeders,
        leechers: counts.leechers,
        retry_in: counts
            .next
            .map(|next| u32::try_from(next.as_secs()).unwrap_or(u32::MAX)),
    }
}

/// The number of trackers that are being asked for the first time. For the others, the last answer
/// still counts.
fn never_answered(counts: &TrackerCounts) -> u32 {
    counts
        .asking
        .min(counts.total.saturating_sub(counts.failed + counts.answered))
        .into()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
