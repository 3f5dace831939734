//! Messages about the connection to the bridge and about the whole page.

use crate::format::{duration, size};
use crate::message::{Blocked, BridgeLink, BridgeStatus};
use crate::texts::{blocked, bridge as texts, status};

/// The problem with the connection to the bridge; empty if there is none.
pub(in crate::page) fn bridge(bridge: &BridgeStatus) -> String {
    let text = match bridge {
        BridgeStatus::Connected => "",
        BridgeStatus::Connecting => texts::connecting(),
        BridgeStatus::Waiting { .. } => texts::unreachable(),
        BridgeStatus::WantsToken { shown: false } => texts::token_needed(),
        BridgeStatus::WantsToken { shown: true } => texts::token_unknown(),
        BridgeStatus::Refused(reason) => reason,
    };
    text.to_owned()
}

/// The state of the connection to the bridge, how long its answers take, and what has passed through
/// it.
pub(in crate::page) fn bridge_state(status: &BridgeStatus, link: &BridgeLink) -> String {
    let state = match (status, link.round_trip) {
        (BridgeStatus::Connected, Some(0)) => texts::connected_at_once().to_owned(),
        (BridgeStatus::Connected, Some(millis)) => texts::connected_within(millis),
        (BridgeStatus::Connected, None) => texts::connected().to_owned(),
        (other, _) => bridge(other),
    };
    texts::state_and_traffic(state, size(link.received), size(link.sent))
}

/// When the next attempt to reach the bridge is; empty unless it could not be reached.
pub(in crate::page) fn bridge_retry(bridge: &BridgeStatus) -> String {
    match bridge {
        BridgeStatus::Waiting { seconds: 0 } => status::trying_again_now().to_owned(),
        BridgeStatus::Waiting { seconds } => status::trying_again_in(duration((*seconds).into())),
        _ => String::new(),
    }
}

/// Why the whole page does not work, and what to do about it.
pub(in crate::page) fn blocked(why: &Blocked) -> String {
    match why {
        Blocked::OtherTab => blocked::other_tab().to_owned(),
        Blocked::SilentTab => blocked::silent_tab().to_owned(),
        Blocked::Insecure => blocked::insecure().to_owned(),
        Blocked::NoFileSystem => blocked::no_file_system().to_owned(),
        Blocked::InvalidBridge(reason) => blocked::invalid_bridge(reason),
        Blocked::NoStorage(reason) => blocked::no_storage(reason),
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
        let traffic = "All data from and to peers, and to players outside the browser, pass through it: 3.00 MiB received and 500 B sent since this page was opened.";
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
