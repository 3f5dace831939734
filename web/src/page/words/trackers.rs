//! What the page says about one tracker.

use crate::format::{count, duration};
use crate::message::{TrackerAnswer, TrackerRow};

/// What a tracker answered, and when it is asked again, as sentences.
pub(in crate::page) fn tracker(row: &TrackerRow) -> String {
    let mut sentences = vec![answer(row)];
    if let Some(text) = &row.text {
        sentences.push(match row.answer {
            TrackerAnswer::Failed(_) => format!("It says: \u{201c}{text}\u{201d}."),
            _ => format!("It warns: \u{201c}{text}\u{201d}."),
        });
    }
    let has_answered = row.answer != TrackerAnswer::None;
    match (row.asking, row.next) {
        (true, _) if has_answered => sentences.push("Being asked again.".to_owned()),
        (false, Some(seconds)) => {
            sentences.push(format!("Asked again in {}.", duration(seconds.into())));
        }
        _ => {}
    }
    sentences.join(" ")
}

fn answer(row: &TrackerRow) -> String {
    match &row.answer {
        TrackerAnswer::None if row.asking => "Being asked.".to_owned(),
        TrackerAnswer::None => "Not asked yet.".to_owned(),
        TrackerAnswer::Failed(why) => format!("Failed: {why}."),
        TrackerAnswer::Peers {
            named,
            seeders,
            leechers,
        } => {
            let named = match named {
                0 => "Named no peers".to_owned(),
                &named => format!("Named {}", count(named, "peer")),
            };
            let counted = [(*seeders, "seed"), (*leechers, "incomplete peer")];
            let counted: Vec<String> = counted
                .into_iter()
                .filter_map(|(number, noun)| Some(count(number?, noun)))
                .collect();
            match counted.as_slice() {
                [] => format!("{named}."),
                counted => format!("{named}; counts {}.", counted.join(" and ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
