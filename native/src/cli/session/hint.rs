//! Explains in a sentence why nothing is received for a torrent.

use aqueduct_core::discovery::{self, Summary, TrackerStatus};
use aqueduct_core::{Phase, TorrentSnapshot};
use aqueduct_native::driver::Driver;

use super::job::Job;
use crate::cli::plan::PeerSources;
use crate::ui::text;

/// The state of the search for one torrent's peers.
#[derive(Debug)]
struct Search {
    /// `None`: trackers are not used.
    trackers: Option<Vec<TrackerStatus>>,
    /// `None`: the DHT is not used.
    dht: Option<String>,
    /// How peers failed, if any did.
    failures: Option<String>,
    /// Peers that were banned for wrong data.
    banned: usize,
    /// Whether the torrent names web seeds, which nothing is downloaded from.
    has_web_seeds: bool,
    /// Whether no source of peers is used.
    is_alone: bool,
    /// That nobody can connect to us, if that is so.
    unreachable: Option<String>,
}

impl Search {
    fn of(driver: &Driver, snapshot: &TorrentSnapshot, job: &Job, sources: PeerSources) -> Self {
        let torrent = snapshot.torrent;
        let dht = match driver.dht(torrent) {
            _ if !sources.dht => None,
            None if job.is_private() => Some("DHT: off (private torrent)".to_owned()),
            counts => counts.map(|counts| counts.to_string()),
        };
        Self {
            trackers: sources.trackers.then(|| driver.trackers(torrent)),
            dht,
            failures: driver.peer_failures(torrent),
            banned: driver.banned(torrent),
            has_web_seeds: job.has_web_seeds,
            is_alone: sources.are_none(),
            unreachable: Some(driver.reachability())
                .filter(|reachability| reachability.is_reachable() == Some(false))
                .map(|reachability| reachability.to_string()),
        }
    }

    /// Why no peer is connected.
    fn describe(&self, snapshot: &TorrentSnapshot) -> String {
        let addresses = snapshot.candidates + snapshot.dialling;
        let dials = format!(
            "{} known, {} being dialled",
            text::count(addresses, "address", "addresses"),
            snapshot.dialling
        );
        let blocked = (snapshot.blocked > 0).then(|| {
            let peers = text::count(snapshot.blocked, "peer", "peers");
            format!("{peers} on the blocklist")
        });
        let banned = (self.banned > 0).then(|| {
            let peers = text::count(self.banned, "peer", "peers");
            format!("{peers} banned for wrong data")
        });
        let alone = self.is_alone.then(|| {
            "no way to find peers is in use: name a --peer, or leave out --no-trackers (or, without --proxy, --no-dht or --no-lsd)"
                .to_owned()
        });
        let web_seeds = self
            .has_web_seeds
            .then(|| "the torrent's web seeds are not used: data come from peers alone".to_owned());
        let trackers = self.trackers.as_deref().map(describe_trackers);
        let parts = trackers
            .into_iter()
            .chain(self.dht.clone())
            .chain([dials])
            .chain(self.failures.clone());
        let parts = parts.chain(blocked).chain(banned);
        let parts = parts.chain(web_seeds).chain(alone);
        let parts: Vec<String> = parts.chain(self.unreachable.clone()).collect();
        parts.join("; ")
    }
}

/// Why nothing is received for a torrent; empty if something is received, or nothing is needed. For
/// a seed without peers: whether they can connect to it.
pub(super) fn hint(
    driver: &Driver,
    snapshot: &TorrentSnapshot,
    job: &Job,
    sources: PeerSources,
) -> String {
    let is_idle = matches!(
        snapshot.phase,
        Phase::Seeding | Phase::Checking | Phase::Paused | Phase::Error
    );
    if snapshot.phase == Phase::Seeding && snapshot.peers == 0 {
        let reachability = driver.reachability();
        let is_known = reachability.status.is_some() || reachability.incoming > 0;
        if is_known {
            reachability.to_string()
        } else {
            String::new()
        }
    } else if snapshot.down_rate > 0 || is_idle {
        String::new()
    } else if snapshot.peers > 0 {
        describe_peers(snapshot).to_owned()
    } else {
        Search::of(driver, snapshot, job, sources).describe(snapshot)
    }
}

/// Why the connected peers send nothing.
const fn describe_peers(snapshot: &TorrentSnapshot) -> &'static str {
    match (snapshot.phase, snapshot.interesting, snapshot.unchoking_us) {
        (Phase::FetchingMetadata, ..) => "no connected peer has sent what the torrent contains yet",
        (_, 0, _) => "no connected peer has what is missing",
        (_, _, 0) => "no connected peer lets us download yet",
        _ => "waiting for the connected peers",
    }
}

/// The trackers' answers, primarily those of failed ones.
fn describe_trackers(statuses: &[TrackerStatus]) -> String {
    let (summary, failures) = (
        Summary::of(statuses).to_string(),
        discovery::failures(statuses),
    );
    if failures.is_empty() {
        summary
    } else {
        format!("{summary} ({failures})")
    }
}
