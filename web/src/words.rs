//! What the page says about a torrent: the status word, and one sentence on what happens, above all when nothing moves.

use crate::format::{count, duration, percent};
use crate::message::{Blocked, Bridge, Phase, Search, Torrent};

/// The first words of a torrent's status.
#[must_use]
pub const fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Connecting",
        Phase::FetchingMetadata => "Fetching metadata",
        Phase::Checking => "Checking",
        Phase::Downloading => "Downloading",
        Phase::Seeding => "Seeding",
        Phase::Finished => "Finished",
        Phase::Paused => "Paused",
        Phase::Error => "Error",
    }
}

/// What happens with a torrent and, when nothing moves, why. Empty when the numbers say it all.
#[must_use]
pub fn sentence(torrent: &Torrent, line: &Bridge) -> String {
    match torrent.phase {
        Phase::Paused => String::new(),
        Phase::Error => torrent.failure.clone().unwrap_or_default(),
        Phase::Checking => format!("Reading what is already here: {} %.", percent(torrent.checked, torrent.total.unwrap_or(0))),
        _ if *line != Bridge::Connected => "Waiting for the bridge.".to_owned(),
        Phase::Seeding => "All of it is here. Others can fetch from you while this page is open.".to_owned(),
        Phase::Finished => "All files you chose are here.".to_owned(),
        Phase::FetchingMetadata if torrent.peers > 0 => format!("Asking {} what this torrent contains.", count(torrent.peers, "peer")),
        Phase::Connecting | Phase::FetchingMetadata => search(&torrent.search),
        Phase::Downloading => stall(torrent),
    }
}

/// Why a download that wants to move does not; empty when it does.
fn stall(torrent: &Torrent) -> String {
    let peers = count(torrent.peers, "peer");
    match torrent {
        t if t.down > 0 => String::new(),
        t if t.peers == 0 => search(&t.search),
        t if t.interesting == 0 => format!("Connected to {peers}, but none has a piece that is missing here."),
        t if t.unchoking == 0 => format!("Connected to {peers}; none has let us request yet."),
        _ => format!("Connected to {peers}; waiting for data."),
    }
}

/// What looking for peers has brought, for a torrent without any.
fn search(search: &Search) -> String {
    let heard = search.failed + search.empty + search.answered;
    if search.trackers == 0 && search.found == 0 {
        return "The link names no tracker and no peer has been found yet.".to_owned();
    }
    if search.found > 0 {
        let noun = if search.found == 1 { "address" } else { "addresses" };
        return format!("Found {} {noun}, none connected yet.", search.found);
    }
    if heard == 0 {
        return format!("Asking {} for peers.", count(search.trackers, "tracker"));
    }
    let mut parts = Vec::new();
    if search.failed > 0 {
        parts.push(format!("{} failed", search.failed));
    }
    if search.empty > 0 {
        parts.push(format!("{} {} no peers", search.empty, if search.empty == 1 { "knows" } else { "know" }));
    }
    if search.answered > 0 {
        parts.push(format!("{} named peers", search.answered));
    }
    let again = search.again.map_or_else(String::new, |s| format!(" Trying again in {}.", duration(u64::from(s))));
    format!("Asked {}: {}.{again}", count(heard, "tracker"), parts.join(", "))
}

/// How the line to the bridge is; empty when it is well.
#[must_use]
pub fn bridge(line: &Bridge) -> String {
    match line {
        Bridge::Connected => String::new(),
        Bridge::Connecting => "Connecting to the bridge.".to_owned(),
        Bridge::Waiting { seconds: 0 } => "Cannot reach the bridge; trying again now.".to_owned(),
        Bridge::Waiting { seconds } => format!("Cannot reach the bridge; trying again in {}.", duration(u64::from(*seconds))),
        Bridge::Refused(reason) => format!("The bridge refuses this tab: {reason}"),
    }
}

/// Why the whole page can do nothing, and what to do about it.
#[must_use]
pub fn blocked(why: &Blocked) -> String {
    match why {
        Blocked::OtherTab => "Aqueduct is already open in another tab, which does the work. Close that tab and this one takes over.".to_owned(),
        Blocked::Insecure => {
            "This page was not loaded securely, so the browser gives it no storage. Open it over https, or from localhost.".to_owned()
        }
        Blocked::NoStorage(reason) => {
            format!("The browser refuses storage to this page ({reason}). A private window may forbid it; allow site data and reload.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrent(phase: Phase) -> Torrent {
        Torrent {
            id: 1,
            folder: String::new(),
            name: "film".into(),
            magnet: String::new(),
            phase,
            failure: None,
            total: Some(100),
            files: 1,
            done: 0,
            wanted: 100,
            checked: 0,
            down: 0,
            up: 0,
            uploaded: 0,
            wasted: 0,
            peers: 0,
            seeds: 0,
            unchoking: 0,
            interesting: 0,
            eta: None,
            search: Search::default(),
        }
    }

    #[test]
    fn a_torrent_without_peers_tells_what_the_trackers_said() {
        let mut t = torrent(Phase::Connecting);
        t.search = Search { trackers: 2, failed: 1, empty: 1, answered: 0, found: 0, again: Some(240) };
        assert_eq!(sentence(&t, &Bridge::Connected), "Asked 2 trackers: 1 failed, 1 knows no peers. Trying again in 4 min.");
        t.search = Search { trackers: 2, ..Search::default() };
        assert_eq!(sentence(&t, &Bridge::Connected), "Asking 2 trackers for peers.");
        t.search = Search { found: 1, ..Search::default() };
        assert_eq!(sentence(&t, &Bridge::Connected), "Found 1 address, none connected yet.");
    }

    #[test]
    fn a_stalled_download_says_why() {
        let mut t = torrent(Phase::Downloading);
        t.peers = 3;
        assert_eq!(sentence(&t, &Bridge::Connected), "Connected to 3 peers, but none has a piece that is missing here.");
        t.interesting = 2;
        assert_eq!(sentence(&t, &Bridge::Connected), "Connected to 3 peers; none has let us request yet.");
        t.down = 1;
        assert_eq!(sentence(&t, &Bridge::Connected), "");
    }

    #[test]
    fn an_unreachable_bridge_is_named_with_the_time_of_the_next_try() {
        let line = Bridge::Waiting { seconds: 5 };
        assert_eq!(bridge(&line), "Cannot reach the bridge; trying again in 5 s.");
        assert_eq!(sentence(&torrent(Phase::Downloading), &line), "Waiting for the bridge.");
        assert_eq!(sentence(&torrent(Phase::Paused), &line), "");
    }
}
