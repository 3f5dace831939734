//! What the page says about a peer.

use crate::message::{PeerRow, Route};

/// What goes on between us and a peer.
pub(in crate::page) fn peer_state(peer: &PeerRow) -> String {
    let theirs = match peer {
        PeerRow { choking: true, .. } => "chokes us",
        PeerRow { down: 1.., .. } => "sends",
        PeerRow {
            requested: true, ..
        } => "is to send",
        _ => "lets us request",
    };
    let ours = match peer {
        PeerRow { up: 1.., .. } => ", receives",
        PeerRow {
            requesting: true, ..
        } => ", waits for us",
        PeerRow { choked: true, .. } => "",
        _ => ", may request",
    };
    format!("{theirs}{ours}")
}

/// How a peer's data arrive.
pub(in crate::page) const fn route(route: Route) -> &'static str {
    match route {
        Route::Bridge => "bridge",
        Route::RelayedTab => "another tab, through the bridge",
        Route::Tab => "another tab, directly",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerRow {
        PeerRow {
            conn: 1,
            address: "1.2.3.4:5".to_owned(),
            client: String::new(),
            route: Route::Bridge,
            down: 0,
            up: 0,
            pieces: 0,
            choking: true,
            choked: true,
            requested: false,
            requesting: false,
        }
    }

    #[test]
    fn the_state_of_a_peer_is_told_in_words() {
        assert_eq!(peer_state(&peer()), "chokes us");
        let sending = PeerRow {
            choking: false,
            down: 1,
            ..peer()
        };
        assert_eq!(peer_state(&sending), "sends");
        let both = PeerRow {
            up: 1,
            choked: false,
            ..sending
        };
        assert_eq!(peer_state(&both), "sends, receives");
        let waits = PeerRow {
            choked: false,
            requesting: true,
            ..peer()
        };
        assert_eq!(peer_state(&waits), "chokes us, waits for us");
    }
}
