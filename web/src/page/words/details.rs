//! The details of a torrent, and what the search for peers has found, as names and values.

use super::bridge::bridge_state;
use super::search::{addresses, dht_answer, place, trackers};
use crate::format::{date, decimal, rate, size};
use crate::link::to_share;
use crate::message::{BridgeLink, BridgeStatus, Details, Facts, Torrent, Traffic, ratio_base};
use crate::texts::trackers::counts_of_best;
use crate::texts::{amounts, details as texts};

/// A name and a value.
type Row = (&'static str, String);

/// The details of a torrent. `page`: the address of this page.
pub(in crate::page) fn details(torrent: &Torrent, details: &Details, page: &str) -> Vec<Row> {
    let Torrent {
        progress,
        traffic,
        magnet,
        ..
    } = torrent;
    let facts = &details.facts;
    let rows = [
        (texts::info_hash(), details.v1.clone()),
        (texts::info_hash_v2(), details.v2.clone()),
        (texts::size(), progress.total.map(size)),
        (
            texts::files(),
            (torrent.files > 0).then(|| torrent.files.to_string()),
        ),
        (texts::pieces(), pieces(torrent, details)),
        (
            texts::downloaded(),
            Some(downloaded(traffic.downloaded, details.wasted)),
        ),
        (texts::given(), Some(given(torrent))),
        (
            texts::rates(),
            Some(texts::down_and_up(rate(traffic.down), rate(traffic.up))),
        ),
        (
            texts::private(),
            details.private.then(|| texts::is_private().to_owned()),
        ),
        (texts::comment(), facts.comment.clone()),
        (texts::created(), created(facts)),
        (
            texts::web_seeds(),
            Some(facts.web_seeds.join(" ")).filter(|urls| !urls.is_empty()),
        ),
        (texts::magnet_link(), magnet.clone()),
        (
            texts::link_to_page(),
            magnet.as_ref().map(|magnet| to_share(page, magnet)),
        ),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn pieces(torrent: &Torrent, details: &Details) -> Option<String> {
    let length = size(details.piece_length.into());
    (torrent.pieces > 0).then(|| texts::pieces_of(torrent.pieces, length))
}

fn downloaded(downloaded: u64, wasted: u64) -> String {
    match wasted {
        0 => size(downloaded),
        wasted => texts::partly_discarded(size(downloaded), size(wasted)),
    }
}

/// When and by which program a torrent was created, as far as its file says so.
fn created(facts: &Facts) -> Option<String> {
    match (facts.created.map(date), &facts.created_by) {
        (Some(day), Some(program)) => Some(texts::created_on_by(day, program)),
        (Some(day), None) => Some(texts::created_on(day)),
        (None, Some(program)) => Some(texts::created_by(program)),
        (None, None) => None,
    }
}

/// The amount that was uploaded, and the ratio.
pub(super) fn given(torrent: &Torrent) -> String {
    let Traffic {
        uploaded,
        downloaded,
        ..
    } = torrent.traffic;
    let base = ratio_base(downloaded, torrent.progress.total.unwrap_or(0));
    if base == 0 {
        return size(uploaded);
    }
    let hundredths = (uploaded.saturating_mul(100).saturating_add(base / 2)) / base;
    texts::with_ratio(size(uploaded), decimal(hundredths, 2))
}

/// What trackers, the DHT and the bridge have answered.
pub(in crate::page) fn answers(
    torrent: &Torrent,
    bridge: &BridgeStatus,
    link: &BridgeLink,
) -> Vec<Row> {
    let search = &torrent.search;
    let mut rows = vec![(texts::bridge(), bridge_state(bridge, link))];
    if search.waiting.is_some() {
        rows.push((texts::place(), place(search)));
    }
    rows.push((texts::trackers(), trackers(search)));
    let (seeds, incomplete) = (search.trackers.seeders, search.trackers.leechers);
    if seeds + incomplete > 0 {
        let counts = counts_of_best(amounts::seeds(seeds), amounts::incomplete_peers(incomplete));
        rows.push((texts::swarm(), counts));
    }
    rows.push((texts::dht(), dht_answer(search)));
    rows.push((texts::addresses(), addresses(search)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Progress, Search, TrackerSearch};
    use crate::texts::Language;

    fn value(rows: &[Row], name: &str) -> String {
        rows.iter()
            .find(|(other, _)| *other == name)
            .map_or_else(String::new, |(_, value)| value.clone())
    }

    #[test]
    fn the_ratio_is_that_of_given_to_downloaded_or_to_the_size_of_what_was_made_here() {
        let given = |uploaded, downloaded, total| {
            given(&Torrent {
                traffic: Traffic {
                    uploaded,
                    downloaded,
                    ..Traffic::default()
                },
                progress: Progress {
                    total,
                    ..Progress::default()
                },
                ..Torrent::default()
            })
        };
        assert_eq!(given(50, 100, Some(1000)), "50 B (ratio 0.50)");
        assert_eq!(given(500, 0, Some(1000)), "500 B (ratio 0.50)");
        assert_eq!(given(0, 0, None), "0 B");
        assert_eq!(
            Language::German.during(|| given(1 << 20, 3 << 20, None)),
            "1,00 MiB (Verhältnis 0,33)"
        );
    }

    #[test]
    fn the_day_and_the_program_that_created_a_torrent_are_told_as_far_as_known() {
        let facts = |created, by: Option<&str>| Facts {
            created,
            created_by: by.map(str::to_owned),
            ..Facts::default()
        };
        let told = created(&facts(Some(1_700_000_000), Some("mktorrent 1.1")));
        assert_eq!(told.as_deref(), Some("on 2023-11-14 by mktorrent 1.1"));
        let day = created(&facts(Some(0), None));
        assert_eq!(day.as_deref(), Some("on 1970-01-01"));
        assert_eq!(created(&facts(None, None)), None);
    }

    #[test]
    fn only_known_details_are_shown() {
        let torrent = Torrent {
            magnet: Some("magnet:?xt=urn:btih:00".to_owned()),
            ..Torrent::default()
        };
        let rows = details(&torrent, &Details::default(), "http://page/");
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "Downloaded",
                "Given",
                "Rates",
                "Magnet link",
                "Link to this page"
            ]
        );
        assert!(value(&rows, "Link to this page").starts_with("http://page/#magnet:"));
    }

    #[test]
    fn the_answers_of_trackers_and_of_the_dht_are_told_in_words() {
        let torrent = Torrent {
            progress: Progress::default(),
            search: Search {
                trackers: TrackerSearch {
                    named: 2,
                    failed: 1,
                    answered: 1,
                    seeders: 3,
                    leechers: 1,
                    failure: Some("it refused the request".to_owned()),
                    ..TrackerSearch::default()
                },
                ..Search::default()
            },
            ..Torrent::default()
        };
        let rows = answers(&torrent, &BridgeStatus::Connected, &BridgeLink::default());
        assert!(value(&rows, "Bridge").starts_with("Connected. "));
        assert_eq!(
            value(&rows, "Trackers"),
            "Asked 2 trackers: 1 failed (it refused the request), 1 named peers."
        );
        assert_eq!(
            value(&rows, "Swarm"),
            "3 seeds and 1 incomplete peer according to the tracker that knows most."
        );
        assert_eq!(value(&rows, "DHT"), "Not asked for this torrent.");
    }
}
