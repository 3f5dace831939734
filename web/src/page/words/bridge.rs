//! Messages about the connection to the bridge and about the whole page.

use crate::format::{duration, size};
use crate::message::{Blocked, BridgeLink, BridgeStatus};

/// The problem with the connection to the bridge; empty if there is none.
pub(in crate::page) fn bridge(bridge: &BridgeStatus) -> String {
    match bridge {
        BridgeStatus::Connected => String::new(),
        BridgeStatus::Connecting => "Connecting to the bridge.".to_owned(),
        BridgeStatus::Waiting { .. } => "Cannot reach the bridge.".to_owned(),
        BridgeStatus::WantsToken { shown: false } => {
            "This bridge serves only those who have a token. Ask its operator for one and type it here.".to_owned()
        }
        BridgeStatus::WantsToken { shown: true } => "The bridge does not know this token. Check it, or ask the bridge's operator for another.".to_owned(),
        BridgeStatus::Refused(reason) => reason.clone(),
    }
}

/// The state of the connection to the bridge, how long its answers take, and what has passed through
/// it.
pub(in crate::page) fn bridge_state(status: &BridgeStatus, link: &BridgeLink) -> String {
    let state = match (status, link.round_trip) {
        (BridgeStatus::Connected, Some(0)) => "Connected; it answers in less than 1 ms.".to_owned(),
        (BridgeStatus::Connected, Some(millis)) => format!("Connected; it answers in {millis} ms."),
        (BridgeStatus::Connected, None) => "Connected.".to_owned(),
        (other, _) => bridge(other),
    };
    format!(
        "{state} All data from and to peers pass through it: {} received and {} sent since this page was opened.",
        size(link.received),
        size(link.sent)
    )
}

/// When the next attempt to reach the bridge is; empty unless it could not be reached.
pub(in crate::page) fn bridge_retry(bridge: &BridgeStatus) -> String {
    match bridge {
        BridgeStatus::Waiting { seconds: 0 } => "Trying again now.".to_owned(),
        BridgeStatus::Waiting { seconds } => {
            format!("Trying again in {}.", duration(u64::from(*seconds)))
        }
        _ => String::new(),
    }
}

/// Why the whole page does not work, and what to do about it.
pub(in crate::page) fn blocked(why: &Blocked) -> String {
    match why {
        Blocked::OtherTab => {
            "Aqueduct is already open in another tab, which does the work. What you do here happens there; close that tab and this one takes over."
                .to_owned()
        }
        Blocked::Insecure => {
            "This page was not loaded securely, so the browser gives it no storage. Open it over https, or from localhost.".to_owned()
        }
        Blocked::NoFileSystem => {
            "This browser has no private file system for pages (OPFS), in which downloads would be stored, or it is switched off. Open this page \
             in a current version of Chrome, Edge, Firefox or Safari."
                .to_owned()
        }
        Blocked::InvalidBridge(reason) => {
            format!("{reason} Reload the page.")
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
    use super::*;

    #[test]
    fn the_state_of_the_bridge_tells_its_latency_and_its_traffic() {
        let link = |round_trip| BridgeLink {
            round_trip,
            received: 3 << 20,
            sent: 500,
        };
        let traffic = "All data from and to peers pass through it: 3.00 MiB received and 500 B sent since this page was opened.";
        for (round_trip, told) in [
            (Some(23), "Connected; it answers in 23 ms."),
            (Some(0), "Connected; it answers in less than 1 ms."),
            (None, "Connected."),
        ] {
            let state = bridge_state(&BridgeStatus::Connected, &link(round_trip));
            assert_eq!(state, format!("{told} {traffic}"));
        }
        let gone = bridge_state(&BridgeStatus::Waiting { seconds: 5 }, &link(None));
        assert_eq!(gone, format!("Cannot reach the bridge. {traffic}"));
    }

    #[test]
    fn an_unreachable_bridge_is_named_and_the_next_attempt_stands_apart() {
        let waiting = |seconds| BridgeStatus::Waiting { seconds };
        assert_eq!(bridge(&waiting(5)), "Cannot reach the bridge.");
        assert_eq!(bridge_retry(&waiting(5)), "Trying again in 5 s.");
        assert_eq!(bridge(&waiting(9)), bridge(&waiting(2)));
        assert_eq!(bridge_retry(&BridgeStatus::Connected), "");
    }
}
