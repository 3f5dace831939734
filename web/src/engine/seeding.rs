//! When a torrent has been seeded for as long as the user wants.

use aqueduct_core::types::TorrentId;
use aqueduct_core::{Phase, Snapshot, TorrentSnapshot};

use super::torrents::{Torrent, Torrents};
use crate::message::{WhenComplete, ratio_base};
use crate::storage::layout::is_created_here;

/// The torrents that must be paused now.
pub(super) fn given(
    torrents: &Torrents,
    snapshot: &Snapshot,
    general: WhenComplete,
) -> Vec<TorrentId> {
    let known = snapshot
        .torrents
        .iter()
        .filter_map(|snapshot| Some((torrents.get(snapshot.torrent)?, snapshot)));
    known
        .filter(|(torrent, snapshot)| is_given(torrent, snapshot, general))
        .map(|(torrent, _)| torrent.id)
        .collect()
}

/// Whether a seeding torrent must be paused now. `general` is the rule for downloads without one of
/// their own. Without it, a torrent that was created here is seeded until its user pauses it.
pub(super) fn is_given(
    torrent: &Torrent,
    snapshot: &TorrentSnapshot,
    general: WhenComplete,
) -> bool {
    let inherited = if is_created_here(&torrent.folder) {
        WhenComplete::Seed
    } else {
        general
    };
    let rule = torrent.options.when_complete.unwrap_or(inherited);
    let seeds = snapshot.phase == Phase::Seeding && snapshot.wanted > 0;
    seeds
        && rule
            .ratio()
            .is_some_and(|least| ratio(torrent, snapshot) >= least.into())
}

/// The ratio in hundredths.
fn ratio(torrent: &Torrent, snapshot: &TorrentSnapshot) -> u128 {
    let size = torrent.info.as_ref().map_or(0, |info| info.lengths.total());
    let base = ratio_base(snapshot.downloaded, size);
    u128::from(snapshot.uploaded) * 100 / u128::from(base.max(1))
}
