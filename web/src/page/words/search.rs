//! Messages about the search for a torrent's peers.

use crate::message::{DhtSearch, PeerSearch, Search, WaitReason};
use crate::texts::{amounts, search as texts};

/// The results of the search, for a torrent without peers.
pub(super) fn search(search: &Search) -> String {
    match search {
        s if s.waiting.is_some() => place(s),
        s if s.peers.found > 0 => found(s),
        s if s.trackers.named == 0 => trackerless(s),
        s => asked(s, s.dht),
    }
}

/// Why a torrent has no slot with the bridge.
pub(super) fn place(search: &Search) -> String {
    match search.waiting {
        Some(WaitReason::AllInUse(number)) => texts::all_places_in_use(number),
        Some(WaitReason::TooFast) => texts::too_many_started().to_owned(),
        None => String::new(),
    }
}

/// The answers of the trackers, as a sentence.
pub(super) fn trackers(search: &Search) -> String {
    if search.trackers.named == 0 {
        texts::no_tracker().to_owned()
    } else {
        asked(search, None)
    }
}

/// The state of the addresses that were found, as a sentence. Unlike [`search`], it is also shown
/// while peers are connected.
pub(super) fn addresses(search: &Search) -> String {
    match (search.peers.found, fates(&search.peers)) {
        (0, _) => texts::no_address().to_owned(),
        (n, fates) if fates.is_empty() => texts::addresses(n),
        (n, fates) => texts::addresses_with(n, fates),
    }
}

/// The state of the addresses that were found, and the trackers that failed.
fn found(search: &Search) -> String {
    let n = search.peers.found;
    let addresses = match fates(&search.peers) {
        fates if fates.is_empty() => texts::addresses_unconnected(n),
        fates => texts::addresses_with(n, fates),
    };
    match failed_trackers(search) {
        Some(trackers) => format!("{addresses} {trackers}"),
        None => addresses,
    }
}

/// What became of addresses that are not connected; empty if nothing is known.
fn fates(peers: &PeerSearch) -> String {
    counted([
        (peers.dialling, texts::being_dialled),
        (peers.unreachable, texts::unreachable),
        (peers.refused, texts::never_dialled),
        (peers.hung_up, texts::hung_up),
        (peers.misbehaved, texts::broke_protocol),
        (peers.banned, texts::banned),
    ])
    .join(SEPARATOR)
}

/// Shown beside the results, since the tracker that fails may be the one that knows more peers.
fn failed_trackers(search: &Search) -> Option<String> {
    match (search.trackers.failed, &search.trackers.failure) {
        (0, _) => None,
        (n, None) => Some(texts::trackers_failed(n)),
        (n, Some(why)) => Some(texts::trackers_failed_because(n, why)),
    }
}

fn trackerless(search: &Search) -> String {
    match search.dht {
        Some(dht) => texts::no_tracker_but_dht(clause(dht)),
        None => texts::no_tracker_and_no_peer().to_owned(),
    }
}

/// The results from the trackers and, if given, from the DHT.
fn asked(search: &Search, dht: Option<DhtSearch>) -> String {
    let trackers = &search.trackers;
    let dht = dht.map(clause);
    match (trackers.heard(), dht) {
        (0, None) => texts::asking(trackers.named),
        (0, Some(dht)) => texts::asking_beside_dht(trackers.named, dht),
        (heard, None) => texts::asked(heard + trackers.asking, answers(search)),
        (heard, Some(dht)) => {
            texts::asked_beside_dht(heard + trackers.asking, answers(search), dht)
        }
    }
}

/// What the trackers that were asked have answered.
fn answers(search: &Search) -> String {
    let trackers = &search.trackers;
    let failed = match (trackers.failed, &trackers.failure) {
        (0, _) => None,
        (n, None) => Some(texts::failed(n)),
        (n, Some(why)) => Some(texts::failed_because(n, why)),
    };
    let mut answers: Vec<String> = failed.into_iter().collect();
    answers.extend(counted([
        (trackers.empty, texts::know_no_peers as fn(u32) -> String),
        (trackers.answered, texts::named_peers),
        (trackers.asking, texts::are_silent),
    ]));
    answers.join(SEPARATOR)
}

/// The results from the DHT, as a clause.
fn clause(dht: DhtSearch) -> String {
    let nodes = amounts::nodes(dht.nodes);
    let peers = amounts::peers(dht.peers);
    if dht.asking {
        texts::dht_so_far(nodes, peers)
    } else {
        texts::dht(nodes, peers)
    }
}

/// The state of the DHT and its answer, as sentences.
pub(super) fn dht_answer(search: &Search) -> String {
    let Some(dht) = search.dht else {
        return texts::dht_not_asked().to_owned();
    };
    let nodes = amounts::nodes(dht.nodes);
    let peers = amounts::peers(dht.peers);
    match dht {
        DhtSearch { nodes: 0, .. } => texts::dht_without_nodes().to_owned(),
        DhtSearch { asking: true, .. } => texts::dht_being_asked(nodes, peers),
        DhtSearch { peers: 0, .. } => texts::dht_named_none(nodes),
        _ => texts::dht_named(nodes, peers),
    }
}

/// Between the parts of a list, in all languages.
const SEPARATOR: &str = ", ";

/// A number, and the text for it.
type Counted = (u32, fn(u32) -> String);

/// The texts for the numbers that are not 0.
fn counted<const N: usize>(parts: [Counted; N]) -> Vec<String> {
    let known = parts.into_iter().filter(|(n, _)| *n > 0);
    known.map(|(n, text)| text(n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TrackerSearch;
    use crate::texts::Language;

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
    fn german_has_the_verb_in_the_number_of_what_it_counts() {
        let told = |unreachable, failed| {
            let searched = Search {
                peers: PeerSearch {
                    found: 3,
                    unreachable,
                    ..PeerSearch::default()
                },
                trackers: trackers(2, failed, 0),
                ..Search::default()
            };
            Language::German.during(|| search(&searched))
        };
        assert_eq!(
            told(1, 1),
            "3 Adressen gefunden: 1 war nicht erreichbar oder besteht auf Verschlüsselung. 1 Tracker fehlgeschlagen."
        );
        assert_eq!(
            told(2, 0),
            "3 Adressen gefunden: 2 waren nicht erreichbar oder bestehen auf Verschlüsselung."
        );
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
