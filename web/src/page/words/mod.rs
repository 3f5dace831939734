//! What the page says about a torrent: the status word, and one sentence on what happens, above all
//! when nothing moves.

use crate::format::{count, duration, percent};
use crate::message::{Blocked, Bridge, Phase, Search, Torrent, Waiting};
use crate::page::leaving::is_only_source;

/// The first words of a torrent's status.
#[must_use]
pub const fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Connecting",
        Phase::FetchingMetadata => "Fetching metadata",
        Phase::Checking => "Checking",
        Phase::Copying => "Copying",
        Phase::Downloading => "Downloading",
        Phase::Seeding => "Seeding",
        Phase::Finished => "Finished",
        Phase::Paused => "Paused",
        Phase::Error => "Error",
    }
}

/// What happens with a torrent and, when nothing moves, why. Empty when the numbers say it all.
/// What changes by the second is in [`passing`]: this is spoken by screen readers whenever it
/// changes.
#[must_use]
pub fn sentence(torrent: &Torrent, line: &Bridge) -> String {
    match torrent.phase {
        Phase::Paused if torrent.is_complete() => "All of it is here and can be saved. While it is paused, nobody can fetch it from you.".to_owned(),
        Phase::Paused => String::new(),
        Phase::Error => torrent.failure.clone().unwrap_or_default(),
        Phase::Copying => "Your files go into this browser's own storage, from which they are shared.".to_owned(),
        Phase::Checking => "Reading what is already here.".to_owned(),
        _ if *line != Bridge::Connected => "Waiting for the bridge.".to_owned(),
        Phase::Seeding | Phase::Finished if torrent.search.waiting.is_some() => format!("What you want is here. {}", place(&torrent.search)),
        Phase::Seeding if is_only_source(torrent) => {
            "All of it is here. Others can fetch from you while this page is open; nobody else may have all of it yet.".to_owned()
        }
        Phase::Seeding => "All of it is here. Others can fetch from you while this page is open.".to_owned(),
        Phase::Finished if torrent.wanted == 0 => "No file is chosen. Tick those that you want.".to_owned(),
        Phase::Finished => "All files you chose are here.".to_owned(),
        Phase::FetchingMetadata if torrent.peers > 0 => format!("Asking {} what this torrent contains.", count(torrent.peers, "peer")),
        Phase::Connecting | Phase::FetchingMetadata => search(&torrent.search),
        Phase::Downloading => stall(torrent),
    }
}

/// How far it is, or when something is tried again. Empty unless there is such a number.
#[must_use]
pub fn passing(torrent: &Torrent, line: &Bridge) -> String {
    match torrent.phase {
        Phase::Checking | Phase::Copying => {
            format!("{} %", percent(torrent.checked, torrent.total.unwrap_or(0)))
        }
        Phase::Connecting | Phase::FetchingMetadata | Phase::Downloading
            if *line == Bridge::Connected =>
        {
            again(torrent)
        }
        _ => String::new(),
    }
}

/// When trackers are asked again, where no peer came of what they said.
fn again(torrent: &Torrent) -> String {
    let search = &torrent.search;
    let waits = torrent.peers == 0
        && search.found == 0
        && search.failed + search.empty + search.answered > 0;
    let seconds = search.again.filter(|_| waits);
    seconds.map_or_else(String::new, |s| {
        format!("Trying again in {}.", duration(u64::from(s)))
    })
}

/// Why a download that wants to move does not; empty when it does.
fn stall(torrent: &Torrent) -> String {
    let peers = count(torrent.peers, "peer");
    match torrent {
        t if t.down > 0 => String::new(),
        t if t.peers == 0 => search(&t.search),
        t if t.interesting == 0 => {
            format!("Connected to {peers}, but none has a piece that is missing here.")
        }
        t if t.unchoking == 0 => format!("Connected to {peers}; none has let us request yet."),
        _ => format!("Connected to {peers}; waiting for data."),
    }
}

/// What looking for peers has brought, for a torrent without any.
fn search(search: &Search) -> String {
    match search {
        s if s.waiting.is_some() => place(s),
        s if s.found > 0 => found(s),
        s if s.trackers == 0 => trackerless(s),
        s if s.failed + s.empty + s.answered == 0 => format!(
            "Asking {} for peers{}.",
            count(s.trackers, "tracker"),
            dht(s)
        ),
        s => asked(s),
    }
}

/// Why a torrent has no place in the bridge.
fn place(search: &Search) -> String {
    match search.waiting {
        Some(Waiting::InUse(n)) => {
            format!("Waiting for a place ({n} in use). Pause or remove a torrent to make room.")
        }
        Some(Waiting::TooFast) => {
            "Waiting for a place: many torrents were begun within a short time.".to_owned()
        }
        None => String::new(),
    }
}

/// What became of the addresses that were found.
fn found(search: &Search) -> String {
    let addresses = if search.found == 1 {
        "1 address".to_owned()
    } else {
        format!("{} addresses", search.found)
    };
    let fates = [
        part(search.dialling, "being dialled", "being dialled"),
        part(
            search.unreachable,
            "could not be reached or insists on encryption",
            "could not be reached or insist on encryption",
        ),
        part(
            search.refused,
            "is not dialled by this bridge",
            "are not dialled by this bridge",
        ),
        part(search.hung_up, "hung up", "hung up"),
        part(
            search.misbehaved,
            "broke the protocol",
            "broke the protocol",
        ),
        part(
            search.banned,
            "sent wrong data and is shut out",
            "sent wrong data and are shut out",
        ),
    ];
    let trackers = failed_trackers(search);
    match join(&fates) {
        fates if fates.is_empty() => format!("Found {addresses}, none connected yet.{trackers}"),
        fates => format!("Found {addresses}: {fates}.{trackers}"),
    }
}

/// A tracker that fails may be the one that knows more peers.
fn failed_trackers(search: &Search) -> String {
    if search.failed == 0 {
        String::new()
    } else {
        format!(
            " {} failed{}.",
            count(search.failed, "tracker"),
            why(search)
        )
    }
}

/// How one of the trackers failed.
fn why(search: &Search) -> String {
    search
        .failure
        .as_ref()
        .map_or_else(String::new, |why| format!(" ({why})"))
}

fn trackerless(search: &Search) -> String {
    match &search.dht {
        Some(dht) => format!("This torrent names no tracker. {dht}."),
        None => "This torrent names no tracker, and no peer has been found yet.".to_owned(),
    }
}

/// What the trackers that were asked came to, and the DHT.
fn asked(search: &Search) -> String {
    let answers = [
        part(search.failed, "failed", "failed").map(|text| text + &why(search)),
        part(search.empty, "knows no peers", "know no peers"),
        part(search.answered, "named peers", "named peers"),
        part(
            search.asking,
            "has not answered yet",
            "have not answered yet",
        ),
    ];
    let heard = search.failed + search.empty + search.answered + search.asking;
    format!(
        "Asked {}: {}{}.",
        count(heard, "tracker"),
        join(&answers),
        dht(search)
    )
}

fn dht(search: &Search) -> String {
    search
        .dht
        .as_ref()
        .map_or_else(String::new, |dht| format!("; {dht}"))
}

fn part(n: u32, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

fn join(parts: &[Option<String>]) -> String {
    parts
        .iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(", ")
}

/// How the line to the bridge is; empty when it is well.
#[must_use]
pub fn bridge(line: &Bridge) -> String {
    match line {
        Bridge::Connected => String::new(),
        Bridge::Connecting => "Connecting to the bridge.".to_owned(),
        Bridge::Waiting { .. } => "Cannot reach the bridge.".to_owned(),
        Bridge::WantsToken { shown: false } => {
            "This bridge serves only those who have a token. Ask its operator for one and type it here.".to_owned()
        }
        Bridge::WantsToken { shown: true } => "The bridge does not know this token. Check it, or ask the bridge's operator for another.".to_owned(),
        Bridge::Refused(reason) => reason.clone(),
    }
}

/// When the bridge is tried again; empty unless it could not be reached.
#[must_use]
pub fn bridge_again(line: &Bridge) -> String {
    match line {
        Bridge::Waiting { seconds: 0 } => "Trying again now.".to_owned(),
        Bridge::Waiting { seconds } => {
            format!("Trying again in {}.", duration(u64::from(*seconds)))
        }
        _ => String::new(),
    }
}

/// Why the whole page can do nothing, and what to do about it.
#[must_use]
pub fn blocked(why: &Blocked) -> String {
    match why {
        Blocked::OtherTab => {
            "Aqueduct is already open in another tab, which does the work. What you do here happens there; close that tab and this one takes over."
                .to_owned()
        }
        Blocked::Insecure => {
            "This page was not loaded securely, so the browser gives it no storage. Open it over https, or from localhost.".to_owned()
        }
        Blocked::NoStorage(reason) => {
            format!(
                "The browser gives this page no storage: {reason}. Private windows of some browsers give none, and browsers that are told to \
                 keep no site data. Use an ordinary window or allow site data for this page, then reload."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::tunnel::DhtCounts;

    use super::*;

    fn torrent(phase: Phase) -> Torrent {
        Torrent {
            id: 1,
            folder: String::new(),
            name: "film".into(),
            added: 0,
            magnet: Some(String::new()),
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
        t.search = Search {
            trackers: 2,
            failed: 1,
            empty: 1,
            again: Some(240),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Asked 2 trackers: 1 failed, 1 knows no peers."
        );
        assert_eq!(passing(&t, &Bridge::Connected), "Trying again in 4 min.");
        t.search = Search {
            trackers: 2,
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Asking 2 trackers for peers."
        );
        t.search = Search {
            found: 1,
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Found 1 address, none connected yet."
        );
        t.search = Search {
            trackers: 1,
            failed: 1,
            failure: Some("it gave no usable answer".into()),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Asked 1 tracker: 1 failed (it gave no usable answer)."
        );
        t.search = Search {
            found: 5,
            unreachable: 3,
            refused: 2,
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Found 5 addresses: 3 could not be reached or insist on encryption, 2 are not dialled by this bridge."
        );
        t.search = Search {
            found: 2,
            hung_up: 2,
            trackers: 2,
            failed: 1,
            failure: Some("it refused the request".into()),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Found 2 addresses: 2 hung up. 1 tracker failed (it refused the request)."
        );
    }

    #[test]
    fn what_the_dht_knows_is_told_beside_what_the_trackers_said() {
        let mut t = torrent(Phase::FetchingMetadata);
        let dht = |nodes, peers, asking| {
            Some(
                DhtCounts {
                    nodes,
                    peers,
                    asking,
                }
                .to_string(),
            )
        };
        t.search = Search {
            trackers: 3,
            failed: 2,
            empty: 1,
            dht: dht(214, 0, false),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Asked 3 trackers: 2 failed, 1 knows no peers; DHT: 214 nodes, 0 peers."
        );
        t.search = Search {
            trackers: 2,
            dht: dht(0, 0, true),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Asking 2 trackers for peers; DHT: 0 nodes, 0 peers so far."
        );
        t.search = Search {
            dht: dht(8, 0, false),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "This torrent names no tracker. DHT: 8 nodes, 0 peers."
        );
    }

    #[test]
    fn a_tracker_that_hangs_and_a_peer_that_lies_are_told_as_what_they_are() {
        let mut t = torrent(Phase::Connecting);
        t.search = Search {
            trackers: 2,
            failed: 1,
            asking: 1,
            failure: Some("it gave no usable answer".into()),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Asked 2 trackers: 1 failed (it gave no usable answer), 1 has not answered yet."
        );
        t.phase = Phase::Downloading;
        t.search = Search {
            found: 1,
            banned: 1,
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Found 1 address: 1 sent wrong data and is shut out."
        );
    }

    #[test]
    fn what_is_spoken_does_not_change_with_a_countdown_or_a_percentage() {
        let mut t = torrent(Phase::Connecting);
        let told = |t: &Torrent| {
            (
                sentence(t, &Bridge::Connected),
                passing(t, &Bridge::Connected),
            )
        };
        t.search = Search {
            trackers: 1,
            failed: 1,
            again: Some(20),
            ..Search::default()
        };
        let (first, passing) = told(&t);
        t.search.again = Some(7);
        assert_eq!(told(&t).0, first);
        assert_ne!(told(&t).1, passing);
        assert_eq!(
            bridge(&Bridge::Waiting { seconds: 9 }),
            bridge(&Bridge::Waiting { seconds: 2 })
        );
        for phase in [Phase::Checking, Phase::Copying] {
            (t.phase, t.checked) = (phase, 10);
            let (first, passing) = told(&t);
            assert_eq!(passing, "10 %");
            t.checked = 20;
            assert_eq!(told(&t), (first, "20 %".to_owned()));
        }
    }

    #[test]
    fn a_paused_torrent_that_is_complete_says_that_it_is() {
        let mut t = torrent(Phase::Paused);
        t.done = t.wanted;
        assert!(
            sentence(&t, &Bridge::Connected).starts_with("All of it is here and can be saved.")
        );
    }

    #[test]
    fn a_torrent_without_a_place_says_what_it_waits_for() {
        let mut t = torrent(Phase::Connecting);
        t.search = Search {
            trackers: 1,
            waiting: Some(Waiting::InUse(32)),
            ..Search::default()
        };
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Waiting for a place (32 in use). Pause or remove a torrent to make room."
        );
        t.phase = Phase::Seeding;
        assert!(sentence(&t, &Bridge::Connected).contains("Waiting for a place (32 in use)"));
        t.search.waiting = Some(Waiting::TooFast);
        assert!(
            sentence(&t, &Bridge::Connected)
                .contains("Waiting for a place: many torrents were begun")
        );
    }

    #[test]
    fn a_stalled_download_says_why() {
        let mut t = torrent(Phase::Downloading);
        t.peers = 3;
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Connected to 3 peers, but none has a piece that is missing here."
        );
        t.interesting = 2;
        assert_eq!(
            sentence(&t, &Bridge::Connected),
            "Connected to 3 peers; none has let us request yet."
        );
        t.down = 1;
        assert_eq!(sentence(&t, &Bridge::Connected), "");
    }

    #[test]
    fn an_unreachable_bridge_is_named_with_the_time_of_the_next_try() {
        let line = Bridge::Waiting { seconds: 5 };
        assert_eq!(
            (bridge(&line), bridge_again(&line)),
            (
                "Cannot reach the bridge.".to_owned(),
                "Trying again in 5 s.".to_owned()
            )
        );
        assert_eq!(
            sentence(&torrent(Phase::Downloading), &line),
            "Waiting for the bridge."
        );
        assert_eq!(sentence(&torrent(Phase::Paused), &line), "");
    }
}
