//! Messages about the search for a torrent's peers.

use aqueduct_core::tunnel::DhtCounts;

use crate::format::count;
use crate::message::{DhtSearch, PeerSearch, Search, WaitReason};

/// The results of the search, for a torrent without peers.
pub(super) fn search(search: &Search) -> String {
    match search {
        s if s.waiting.is_some() => place(s),
        s if s.peers.found > 0 => found(s),
        s if s.trackers.named == 0 => trackerless(s),
        s if s.trackers.heard() == 0 => format!(
            "Asking {} for peers{}.",
            count(s.trackers.named, "tracker"),
            dht(s)
        ),
        s => asked(s),
    }
}

/// Why a torrent has no slot with the bridge.
pub(super) fn place(search: &Search) -> String {
    match search.waiting {
        Some(WaitReason::AllInUse(n)) => {
            format!("Waiting for a place ({n} in use). Pause or remove a torrent to make room.")
        }
        Some(WaitReason::TooFast) => {
            "Waiting for a place: many torrents were started within a short time.".to_owned()
        }
        None => String::new(),
    }
}

/// The answers of the trackers, as a sentence.
pub(super) fn trackers(search: &Search) -> String {
    match &search.trackers {
        trackers if trackers.named == 0 => "This torrent names no tracker.".to_owned(),
        trackers if trackers.heard() == 0 => {
            format!("Asking {} for peers.", count(trackers.named, "tracker"))
        }
        _ => format!("{}.", answers(search)),
    }
}

/// The state of the addresses that were found, as a sentence. Unlike [`search`], it is also shown
/// while peers are connected.
pub(super) fn addresses(search: &Search) -> String {
    match (search.peers.found, fates(&search.peers)) {
        (0, _) => "None found yet.".to_owned(),
        (n, fates) if fates.is_empty() => format!("Found {}.", number(n)),
        (n, fates) => format!("Found {}: {fates}.", number(n)),
    }
}

/// The state of the addresses that were found, and the trackers that failed.
fn found(search: &Search) -> String {
    let trackers = failed_trackers(search);
    let addresses = number(search.peers.found);
    match fates(&search.peers) {
        fates if fates.is_empty() => format!("Found {addresses}, none connected yet.{trackers}"),
        fates => format!("Found {addresses}: {fates}.{trackers}"),
    }
}

fn number(addresses: u32) -> String {
    match addresses {
        1 => "1 address".to_owned(),
        n => format!("{n} addresses"),
    }
}

/// What became of addresses that are not connected; empty if nothing is known.
fn fates(peers: &PeerSearch) -> String {
    join(&[
        part(peers.dialling, "being dialled", "being dialled"),
        part(
            peers.unreachable,
            "could not be reached or insists on encryption",
            "could not be reached or insist on encryption",
        ),
        part(
            peers.refused,
            "is not dialled by this bridge",
            "are not dialled by this bridge",
        ),
        part(peers.hung_up, "hung up", "hung up"),
        part(peers.misbehaved, "broke the protocol", "broke the protocol"),
        part(
            peers.banned,
            "sent wrong data and is banned",
            "sent wrong data and are banned",
        ),
    ])
}

/// Shown beside the results, since the tracker that fails may be the one that knows more peers.
fn failed_trackers(search: &Search) -> String {
    if search.trackers.failed == 0 {
        String::new()
    } else {
        format!(
            " {} failed{}.",
            count(search.trackers.failed, "tracker"),
            why(search)
        )
    }
}

/// How one of the trackers failed.
fn why(search: &Search) -> String {
    search
        .trackers
        .failure
        .as_ref()
        .map_or_else(String::new, |why| format!(" ({why})"))
}

fn trackerless(search: &Search) -> String {
    match search.dht {
        Some(dht) => format!("This torrent names no tracker. {}.", clause(dht)),
        None => "This torrent names no tracker, and no peer has been found yet.".to_owned(),
    }
}

/// The results from the trackers and the DHT.
fn asked(search: &Search) -> String {
    format!("{}{}.", answers(search), dht(search))
}

/// The results from the trackers.
fn answers(search: &Search) -> String {
    let answers = [
        part(search.trackers.failed, "failed", "failed").map(|text| text + &why(search)),
        part(search.trackers.empty, "knows no peers", "know no peers"),
        part(search.trackers.answered, "named peers", "named peers"),
        part(
            search.trackers.asking,
            "has not answered yet",
            "have not answered yet",
        ),
    ];
    let asked = search.trackers.heard() + search.trackers.asking;
    format!("Asked {}: {}", count(asked, "tracker"), join(&answers))
}

fn dht(search: &Search) -> String {
    search
        .dht
        .map_or_else(String::new, |dht| format!("; {}", clause(dht)))
}

/// The results from the DHT, as a clause.
fn clause(dht: DhtSearch) -> String {
    let DhtSearch {
        nodes,
        peers,
        asking,
    } = dht;
    DhtCounts {
        nodes,
        peers,
        asking,
    }
    .to_string()
}

/// The state of the DHT and its answer, as sentences.
pub(super) fn dht_answer(search: &Search) -> String {
    let Some(dht) = search.dht else {
        return "Not asked for this torrent.".to_owned();
    };
    let nodes = count(dht.nodes, "node");
    let peers = count(dht.peers, "peer");
    match dht {
        DhtSearch { nodes: 0, .. } => "No node of it is known yet.".to_owned(),
        DhtSearch { asking: true, .. } => {
            format!("Being asked; it named {peers} so far. {nodes} known.")
        }
        DhtSearch { peers: 0, .. } => {
            format!("Named no peers when it was asked last. {nodes} known.")
        }
        _ => format!("Named {peers} when it was asked last. {nodes} known."),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TrackerSearch;

    const FAILURE: &str = "it gave no usable answer";

    fn trackers(named: u32, failed: u32, empty: u32) -> TrackerSearch {
        TrackerSearch {
            named,
            failed,
            empty,
            ..TrackerSearch::default()
        }
    }

    fn of_trackers(trackers: TrackerSearch) -> String {
        search(&Search {
            trackers,
            ..Search::default()
        })
    }

    fn of_peers(peers: PeerSearch) -> String {
        search(&Search {
            peers,
            ..Search::default()
        })
    }

    #[test]
    fn a_torrent_without_peers_tells_what_the_trackers_said() {
        assert_eq!(
            of_trackers(trackers(2, 1, 1)),
            "Asked 2 trackers: 1 failed, 1 knows no peers."
        );
        assert_eq!(
            of_trackers(trackers(2, 0, 0)),
            "Asking 2 trackers for peers."
        );
        let failed = TrackerSearch {
            failure: Some(FAILURE.into()),
            ..trackers(1, 1, 0)
        };
        assert_eq!(
            of_trackers(failed),
            "Asked 1 tracker: 1 failed (it gave no usable answer)."
        );
    }

    #[test]
    fn a_tracker_that_hangs_is_told_from_one_that_failed() {
        let hanging = TrackerSearch {
            asking: 1,
            failure: Some(FAILURE.into()),
            ..trackers(2, 1, 0)
        };
        assert_eq!(
            of_trackers(hanging),
            "Asked 2 trackers: 1 failed (it gave no usable answer), 1 has not answered yet."
        );
    }

    #[test]
    fn what_became_of_the_addresses_is_told_in_numbers() {
        let found = |found| PeerSearch {
            found,
            ..PeerSearch::default()
        };
        assert_eq!(of_peers(found(1)), "Found 1 address, none connected yet.");
        let connected = Search {
            peers: found(1),
            ..Search::default()
        };
        assert_eq!(addresses(&connected), "Found 1 address.");
        let unreached = PeerSearch {
            unreachable: 3,
            refused: 2,
            ..found(5)
        };
        assert_eq!(
            of_peers(unreached),
            "Found 5 addresses: 3 could not be reached or insist on encryption, 2 are not dialled by this bridge."
        );
        let liar = PeerSearch {
            banned: 1,
            ..found(1)
        };
        assert_eq!(
            of_peers(liar),
            "Found 1 address: 1 sent wrong data and is banned."
        );
    }

    #[test]
    fn a_tracker_that_failed_is_told_beside_the_addresses_of_others() {
        let both = Search {
            peers: PeerSearch {
                found: 2,
                hung_up: 2,
                ..PeerSearch::default()
            },
            trackers: TrackerSearch {
                failure: Some("it refused the request".into()),
                ..trackers(2, 1, 0)
            },
            ..Search::default()
        };
        assert_eq!(
            search(&both),
            "Found 2 addresses: 2 hung up. 1 tracker failed (it refused the request)."
        );
    }

    #[test]
    fn what_the_dht_knows_is_told_beside_what_the_trackers_said() {
        let with_dht = |trackers, nodes, asking| {
            let dht = DhtSearch {
                nodes,
                peers: 0,
                asking,
            };
            search(&Search {
                trackers,
                dht: Some(dht),
                ..Search::default()
            })
        };
        assert_eq!(
            with_dht(trackers(3, 2, 1), 214, false),
            "Asked 3 trackers: 2 failed, 1 knows no peers; DHT: 214 nodes, 0 peers."
        );
        assert_eq!(
            with_dht(trackers(2, 0, 0), 0, true),
            "Asking 2 trackers for peers; DHT: 0 nodes, 0 peers so far."
        );
        assert_eq!(
            with_dht(trackers(0, 0, 0), 8, false),
            "This torrent names no tracker. DHT: 8 nodes, 0 peers."
        );
    }

    #[test]
    fn the_answer_of_the_dht_is_told_in_words() {
        let told = |nodes, peers, asking| {
            dht_answer(&Search {
                dht: Some(DhtSearch {
                    nodes,
                    peers,
                    asking,
                }),
                ..Search::default()
            })
        };
        assert_eq!(
            told(8, 2, true),
            "Being asked; it named 2 peers so far. 8 nodes known."
        );
        assert_eq!(
            told(214, 1, false),
            "Named 1 peer when it was asked last. 214 nodes known."
        );
        assert_eq!(
            told(1, 0, false),
            "Named no peers when it was asked last. 1 node known."
        );
        assert_eq!(told(0, 0, true), "No node of it is known yet.");
        let unused = dht_answer(&Search::default());
        assert_eq!(unused, "Not asked for this torrent.");
    }

    #[test]
    fn a_torrent_without_a_place_says_what_it_waits_for() {
        let waiting = |reason| {
            search(&Search {
                waiting: Some(reason),
                trackers: trackers(1, 0, 0),
                ..Search::default()
            })
        };
        assert_eq!(
            waiting(WaitReason::AllInUse(32)),
            "Waiting for a place (32 in use). Pause or remove a torrent to make room."
        );
        assert!(waiting(WaitReason::TooFast).contains("many torrents were started"));
    }
}
