//! What the page says about a peer.

use crate::message::{Encrypted, PeerRow, Route};
use crate::texts::peers as texts;

/// What goes on between us and a peer: what it gives, and what it gets.
pub(in crate::page) fn peer_state(peer: &PeerRow) -> String {
    let theirs = match peer {
        PeerRow {
            choking: false,
            down: 1..,
            ..
        } => texts::sends(),
        PeerRow {
            choking: false,
            requested: true,
            ..
        } => texts::is_to_send(),
        PeerRow { wanted: false, .. } => texts::has_nothing(),
        PeerRow { choking: true, .. } => texts::chokes(),
        _ => texts::unchokes(),
    };
    let ours = match peer {
        PeerRow { up: 1.., .. } => texts::receives(),
        PeerRow {
            requesting: true, ..
        } => texts::waits(),
        PeerRow {
            interested: false, ..
        } => texts::wants_nothing(),
        PeerRow { choked: true, .. } => texts::is_choked(),
        _ => texts::may_request(),
    };
    texts::state(theirs, ours)
}

/// How a peer's data arrive.
pub(in crate::page) fn route(peer: &PeerRow) -> String {
    let transport = match peer.route {
        Route::Tcp => "TCP",
        Route::Utp => "uTP",
        Route::RelayedTab => return texts::relayed_tab().to_owned(),
        Route::Tab => return texts::direct_tab().to_owned(),
    };
    let encryption = match peer.encrypted {
        Encrypted::Nothing => texts::in_the_clear(),
        Encrypted::Handshake => texts::handshake_encrypted(),
        Encrypted::Everything => texts::encrypted(),
    };
    let direction = if peer.dialled {
        texts::dialled()
    } else {
        texts::dialled_the_bridge()
    };
    texts::through_bridge(transport, encryption, direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerRow {
        PeerRow {
            conn: 1,
            address: "1.2.3.4:5".to_owned(),
            client: String::new(),
            route: Route::Tcp,
            encrypted: Encrypted::Nothing,
            dialled: true,
            down: 0,
            up: 0,
            pieces: 0,
            choking: true,
            choked: true,
            interested: true,
            wanted: true,
            requested: false,
            requesting: false,
        }
    }

    #[test]
    fn the_state_of_a_peer_is_told_in_words() {
        assert_eq!(peer_state(&peer()), "chokes us, is choked by us");
        let sending = PeerRow {
            choking: false,
            down: 1,
            ..peer()
        };
        assert_eq!(peer_state(&sending), "sends, is choked by us");
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
        let idle = PeerRow {
            interested: false,
            wanted: false,
            ..peer()
        };
        let told = "has nothing we want, wants nothing of us";
        assert_eq!(peer_state(&idle), told);
        assert_eq!(
            peer_state(&PeerRow {
                choking: false,
                ..idle
            }),
            told,
            "nothing is asked of it"
        );
    }

    #[test]
    fn how_a_peer_is_connected_is_told_in_words() {
        let peer = peer();
        assert_eq!(route(&peer), "bridge, TCP, in the clear, dialled");
        let (utp, encrypted, dialled) = (Route::Utp, Encrypted::Everything, false);
        let other = PeerRow {
            route: utp,
            encrypted,
            dialled,
            ..peer.clone()
        };
        assert_eq!(
            route(&other),
            "bridge, uTP, encrypted (RC4), dialled the bridge"
        );
        let tab = PeerRow {
            route: Route::RelayedTab,
            ..peer
        };
        assert_eq!(route(&tab), "another tab, through the bridge");
    }
}
