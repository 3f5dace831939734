//! Numbers as people read them, and foreign text without control characters.

use std::time::Duration;

use aqueduct_core::discovery::{TrackerState, TrackerStatus};
use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::visible;
use aqueduct_core::{Phase, Rechecked};
use aqueduct_native::storage::Renamed;

/// Files that are named in a message when more have other names.
const RENAMED_SHOWN: usize = 5;

/// Bytes with a unit: 1,024 bytes are a KiB.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match UNITS.iter().find(|(_, shift)| count >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(count) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{count} B"),
    }
}

/// Bytes per second.
pub(crate) fn rate(per_second: u64) -> String {
    format!("{}/s", bytes(per_second))
}

/// A span of time in its two largest units.
pub(crate) fn span(span: Duration) -> String {
    let s = span.as_secs();
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

/// Per cent, rounded down so that 100 means all.
pub(crate) fn percent(done: u64, total: u64) -> u64 {
    if total == 0 {
        100
    } else {
        u64::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100)
    }
}

/// A file's path for the screen.
pub(crate) fn path(file: &File) -> String {
    visible(&file.path.join("/")).into_owned()
}

/// Which files have other names than the torrent's; of many the first ones.
pub(crate) fn renamed(renamed: &[Renamed]) -> String {
    let one = |Renamed { own, written }: &Renamed| {
        format!(
            "{} is kept as {}",
            visible(&own.join("/")),
            visible(&written.join("/"))
        )
    };
    let shown: Vec<_> = renamed.iter().take(RENAMED_SHOWN).map(one).collect();
    let rest = renamed.len().saturating_sub(RENAMED_SHOWN);
    let more = if rest > 0 {
        format!(
            ", and {} more in the same way",
            count(rest, "file", "files")
        )
    } else {
        String::new()
    };
    format!(
        "the file system does not take all names: {}{more}",
        shown.join(", ")
    )
}

/// `1 peer`, `2 peers`.
pub(crate) fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Some of a torrent's pieces: `2 of 22 pieces`.
pub(crate) fn of_pieces(some: usize, info: &Info) -> String {
    let all = count(info.lengths.pieces() as usize, "piece", "pieces");
    format!("{some} of {all}")
}

/// A tracker's address and the outcome of the announce.
pub(crate) fn tracker(status: &TrackerStatus) -> String {
    let what = match &status.state {
        _ if status.asking => "has not answered yet".to_owned(),
        TrackerState::Failed(_) => {
            let failure = status.failure().unwrap_or_default();
            let without_subject = failure.strip_prefix("the tracker ");
            without_subject.unwrap_or(&failure).to_owned()
        }
        TrackerState::Ok { peers, .. } => format!("named {}", count(*peers, "peer", "peers")),
        TrackerState::Idle => "has not answered".to_owned(),
    };
    let warning = status
        .warning
        .as_ref()
        .filter(|_| !status.asking && matches!(status.state, TrackerState::Ok { .. }));
    let warning = warning
        .map(|warning| format!("; it warns: \"{warning}\""))
        .unwrap_or_default();
    format!("tracker {}: {what}{warning}", status.shown_url())
}

/// What became of pieces that may have changed. `fetched`: wrong ones are fetched again.
pub(crate) fn rechecked(outcome: &Rechecked, fetched: bool) -> String {
    let is = |count: u32| if count == 1 { "is" } else { "are" };
    let (wrong, unreadable) = (outcome.wrong, outcome.unreadable);
    let then = if fetched {
        format!("{} fetched again", is(wrong))
    } else {
        format!("{} no longer served", is(wrong))
    };
    let mut found = Vec::new();
    if wrong > 0 {
        found.push(format!("{wrong} {} wrong and {then}", is(wrong)));
    }
    if let (1.., Some(error)) = (unreadable, &outcome.error) {
        let error = error.to_string();
        found.push(format!(
            "{unreadable} cannot be read and {} no longer served ({})",
            is(unreadable),
            visible(&error)
        ));
    }
    if found.is_empty() {
        found.push("nothing has changed".to_owned());
    }
    let pieces = count(outcome.read as usize, "piece", "pieces");
    format!("checked {pieces} again, {}", found.join(", "))
}

/// A torrent's phase, as scripts read it.
pub(crate) const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::FetchingMetadata => "fetching_metadata",
        Phase::Checking => "checking",
        Phase::Downloading => "downloading",
        Phase::Seeding => "seeding",
        Phase::Paused => "paused",
        Phase::Error => "error",
    }
}

/// A torrent's phase, as people read it.
pub(crate) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::FetchingMetadata => "fetching metadata",
        Phase::Checking => "checking",
        Phase::Downloading => "downloading",
        Phase::Seeding => "seeding",
        Phase::Paused => "paused",
        Phase::Error => "stopped by an error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_and_unreadable_pieces_are_told_apart() {
        let outcome = |wrong, unreadable| Rechecked {
            read: 9,
            wrong,
            unreadable,
            error: Some(aqueduct_core::OpError::Storage {
                full: false,
                message: "could not read a".to_owned(),
            }),
        };
        let told = |wrong, unreadable| rechecked(&outcome(wrong, unreadable), false);
        assert_eq!(told(0, 0), "checked 9 pieces again, nothing has changed");
        assert_eq!(
            rechecked(&outcome(2, 0), true),
            "checked 9 pieces again, 2 are wrong and are fetched again"
        );
        assert_eq!(
            told(1, 3),
            "checked 9 pieces again, 1 is wrong and is no longer served, \
             3 cannot be read and are no longer served (could not read a)"
        );
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(span(Duration::from_secs(59)), "59 s");
        assert_eq!(span(Duration::from_secs(3725)), "1 h 2 min");
        assert_eq!(
            (
                percent(999, 1000),
                percent(0, 0),
                percent(u64::MAX, u64::MAX)
            ),
            (99, 100, 100)
        );
    }
}
