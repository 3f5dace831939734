//! What the page says about one tracker.

use crate::format::duration;
use crate::message::{TrackerAnswer, TrackerRow};
use crate::texts::{amounts, trackers as texts};

/// What a tracker answered, and when it is asked again, as sentences.
pub(in crate::page) fn tracker(row: &TrackerRow) -> String {
    let mut sentences = vec![answer(row)];
    if let Some(text) = &row.text {
        sentences.push(match row.answer {
            TrackerAnswer::Failed(_) => texts::says(text),
            _ => texts::warns(text),
        });
    }
    let has_answered = row.answer != TrackerAnswer::None;
    match (row.asking, row.next) {
        (true, _) if has_answered => sentences.push(texts::being_asked_again().to_owned()),
        (false, Some(seconds)) => sentences.push(texts::asked_again_in(duration(seconds.into()))),
        _ => {}
    }
    sentences.join(" ")
}

fn answer(row: &TrackerRow) -> String {
    match &row.answer {
        TrackerAnswer::None if row.asking => texts::being_asked().to_owned(),
        TrackerAnswer::None => texts::not_asked_yet().to_owned(),
        TrackerAnswer::Failed(why) => texts::failed(why),
        &TrackerAnswer::Peers {
            named,
            seeders,
            leechers,
        } => match (named, counted(seeders, leechers)) {
            (0, None) => texts::named_none().to_owned(),
            (0, Some(counted)) => texts::named_none_and_counts(counted),
            (named, None) => texts::named(named),
            (named, Some(counted)) => texts::named_and_counts(named, counted),
        },
    }
}

/// The numbers of complete and of incomplete peers, as far as the tracker gives them.
fn counted(seeders: Option<u32>, leechers: Option<u32>) -> Option<String> {
    let seeds = seeders.map(amounts::seeds);
    let incomplete = leechers.map(amounts::incomplete_peers);
    match (seeds, incomplete) {
        (Some(seeds), Some(incomplete)) => Some(texts::seeds_and_incomplete(seeds, incomplete)),
        (seeds, incomplete) => seeds.or(incomplete),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    fn row(answer: TrackerAnswer) -> TrackerRow {
        TrackerRow {
            url: "http://a.example/announce".to_owned(),
            answer,
            asking: false,
            text: None,
            next: None,
        }
    }

    #[test]
    fn the_answer_of_a_tracker_is_told_in_words() {
        let named = |named, seeders, leechers| {
            row(TrackerAnswer::Peers {
                named,
                seeders,
                leechers,
            })
        };
        let answered = TrackerRow {
            next: Some(1750),
            ..named(12, Some(3), Some(1))
        };
        assert_eq!(
            tracker(&answered),
            "Named 12 peers; counts 3 seeds and 1 incomplete peer. Asked again in 29 min."
        );
        assert_eq!(tracker(&named(0, None, None)), "Named no peers.");
        let again = TrackerRow {
            asking: true,
            text: Some("closing soon".to_owned()),
            ..named(1, Some(1), None)
        };
        assert_eq!(
            tracker(&again),
            "Named 1 peer; counts 1 seed. It warns: \u{201c}closing soon\u{201d}. Being asked again."
        );
    }

    #[test]
    fn the_answer_of_a_tracker_is_told_in_german() {
        let answered = TrackerRow {
            next: Some(1750),
            text: Some("closing soon".to_owned()),
            ..row(TrackerAnswer::Peers {
                named: 1,
                seeders: Some(3),
                leechers: Some(1),
            })
        };
        assert_eq!(
            Language::German.during(|| tracker(&answered)),
            "Hat 1 Peer genannt; gezählt: 3 Seeds und 1 unvollständiger Peer. \
             Er warnt: \u{201e}closing soon\u{201c}. Nächste Anfrage in 29 min."
        );
    }

    #[test]
    fn a_tracker_that_refuses_is_quoted_and_a_silent_one_is_told_from_one_that_is_being_asked() {
        let refused = TrackerRow {
            text: Some("passkey unknown".to_owned()),
            next: Some(300),
            ..row(TrackerAnswer::Failed("it refused the request".to_owned()))
        };
        assert_eq!(
            tracker(&refused),
            "Failed: it refused the request. It says: \u{201c}passkey unknown\u{201d}. Asked again in 5 min."
        );
        let silent = row(TrackerAnswer::None);
        assert_eq!(tracker(&silent), "Not asked yet.");
        let asking = TrackerRow {
            asking: true,
            ..silent
        };
        assert_eq!(tracker(&asking), "Being asked.");
    }
}
