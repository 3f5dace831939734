//! The details of a torrent, and what the search for peers has found, as names and values.

use super::bridge::bridge_state;
use super::search::{dht_answer, place, trackers};
use crate::format::{count, date, rate, size};
use crate::link::to_share;
use crate::message::{BridgeLink, BridgeStatus, Details, Facts, Torrent, Traffic, ratio_base};

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
    let rows = [
        ("Info-hash", details.v1.clone()),
        ("Info-hash (v2)", details.v2.clone()),
        ("Size", progress.total.map(size)),
        (
            "Files",
            (torrent.files > 0).then(|| torrent.files.to_string()),
        ),
        ("Pieces", pieces(torrent, details)),
        (
            "Downloaded",
            Some(downloaded(traffic.downloaded, details.wasted)),
        ),
        ("Given", Some(given(torrent))),
        (
            "Rates",
            Some(format!(
                "{} down, {} up",
                rate(traffic.down),
                rate(traffic.up)
            )),
        ),
        (
            "Private",
            details
                .private
                .then(|| "Yes: peers are only found through its trackers.".to_owned()),
        ),
        ("Comment", details.facts.comment.clone()),
        ("Created", created(&details.facts)),
        (
            "Web seeds",
            Some(details.facts.web_seeds.join(" ")).filter(|urls| !urls.is_empty()),
        ),
        ("Magnet link", magnet.clone()),
        (
            "Link to this page",
            magnet.as_ref().map(|magnet| to_share(page, magnet)),
        ),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn pieces(torrent: &Torrent, details: &Details) -> Option<String> {
    (torrent.pieces > 0).then(|| {
        format!(
            "{} of {}",
            torrent.pieces,
            size(details.piece_length.into())
        )
    })
}

fn downloaded(downloaded: u64, wasted: u64) -> String {
    match wasted {
        0 => size(downloaded),
        wasted => format!("{}, {} of it discarded", size(downloaded), size(wasted)),
    }
}

/// When and by which program a torrent was created, as far as its file says so.
fn created(facts: &Facts) -> Option<String> {
    let when = facts.created.map(|seconds| format!("on {}", date(seconds)));
    let by = facts.created_by.as_ref().map(|by| format!("by {by}"));
    let parts: Vec<String> = when.into_iter().chain(by).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
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
    let ratio = uploaded as f64 / base as f64;
    format!("{} (ratio {ratio:.2})", size(uploaded))
}

/// What trackers, the DHT and the bridge have answered.
pub(in crate::page) fn answers(
    torrent: &Torrent,
    bridge: &BridgeStatus,
    link: &BridgeLink,
) -> Vec<Row> {
    let search = &torrent.search;
    let mut rows = vec![("Bridge", bridge_state(bridge, link))];
    if search.waiting.is_some() {
        rows.push(("Place in the swarm", place(search)));
    }
    rows.push(("Trackers", trackers(search)));
    if search.trackers.seeders + search.trackers.leechers > 0 {
        let counted = &search.trackers;
        let counts = format!(
            "{} and {} according to the tracker that knows most",
            count(counted.seeders, "seed"),
            count(counted.leechers, "incomplete peer")
        );
        rows.push(("Swarm", counts + "."));
    }
    rows.push(("DHT", dht_answer(search)));
    rows.push(("Addresses", super::search::addresses(search)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Progress, Search, TrackerSearch};

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
