//! Addresses of files for players outside the browser. A bridge on this machine answers them, and
//! reads the files from here ([`super::playback`]).

use aqueduct_core::tunnel::{PlayerToken, player_path};
use aqueduct_core::types::{SortedMap, TorrentId};

use super::bridge::address::BridgeAddress;
use crate::message::PlayerAddress;

/// The offers of the present session with the bridge.
pub(super) struct Players {
    bridge: BridgeAddress,
    /// The number of offers that the bridge permits.
    limit: u16,
    offers: SortedMap<u32, Offer>,
}

/// A file that is offered.
struct Offer {
    torrent: TorrentId,
    file: u32,
    name: String,
    /// The token, once the bridge has sent it.
    token: Option<PlayerToken>,
}

impl Players {
    /// Without a session.
    pub(super) const fn new(bridge: BridgeAddress) -> Self {
        Self {
            bridge,
            limit: 0,
            offers: SortedMap::new(),
        }
    }

    /// Starts a session in which the bridge permits so many offers; ends the one before. None are
    /// made to a bridge on another machine, which may take all tabs for tabs of its own machine behind
    /// a proxy that changes what they say.
    pub(super) fn start_session(&mut self, limit: u16) {
        self.limit = if self.bridge.is_loopback() { limit } else { 0 };
        self.offers.clear();
    }

    /// Whether the bridge permits any offers.
    pub(super) const fn are_possible(&self) -> bool {
        self.limit > 0
    }

    /// Whether a file is offered.
    pub(super) fn have(&self, torrent: TorrentId, file: u32) -> bool {
        let is_it = |offer: &Offer| offer.torrent == torrent && offer.file == file;
        self.offers.values().any(is_it)
    }

    /// The offer to withdraw before another one can be made: the oldest.
    pub(super) fn take_excess(&mut self) -> Option<u32> {
        let is_full = self.offers.len() >= usize::from(self.limit);
        let oldest = is_full.then(|| self.offers.pop_first()).flatten();
        oldest.map(|(offer, _)| offer)
    }

    /// Adds an offer.
    pub(super) fn add(&mut self, offer: u32, torrent: TorrentId, file: u32, name: String) {
        let token = None;
        self.offers.insert(
            offer,
            Offer {
                torrent,
                file,
                name,
                token,
            },
        );
    }

    /// Handles the token of an offer.
    pub(super) fn set_token(&mut self, offer: u32, token: PlayerToken) {
        if let Some(offer) = self.offers.get_mut(&offer) {
            offer.token = Some(token);
        }
    }

    /// The torrent and the file of an offer.
    pub(super) fn file_of(&self, offer: u32) -> Option<(TorrentId, u32)> {
        let offer = self.offers.get(&offer)?;
        Some((offer.torrent, offer.file))
    }

    /// Removes the offers of a torrent, and returns them to be withdrawn.
    pub(super) fn remove(&mut self, torrent: TorrentId) -> Vec<u32> {
        let of_torrent = |offer: &Offer| offer.torrent == torrent;
        let removed = self.offers.iter().filter(|(_, offer)| of_torrent(offer));
        let removed = removed.map(|(offer, _)| *offer).collect();
        self.offers.retain(|_, offer| !of_torrent(offer));
        removed
    }

    /// The addresses of all offers whose tokens are known.
    pub(super) fn addresses(&self) -> Vec<PlayerAddress> {
        let known = self.offers.values().filter_map(|offer| {
            let path = player_path(offer.token?, &offer.name);
            Some(PlayerAddress {
                torrent: offer.torrent.0,
                file: offer.file,
                url: format!("{}{path}", self.bridge.origin()),
            })
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: PlayerToken = PlayerToken([1; 16]);

    fn session(bridge: &str, limit: u16) -> Players {
        let mut players = Players::new(BridgeAddress::parse(bridge).unwrap());
        players.start_session(limit);
        players
    }

    fn players(limit: u16, offers: u32) -> Players {
        let mut players = session("http://127.0.0.1:8080", limit);
        for offer in 1..=offers {
            players.add(offer, TorrentId(offer % 2), offer, "a b.mkv".to_owned());
        }
        players
    }

    #[test]
    fn a_file_has_an_address_once_the_bridge_has_sent_a_token() {
        let mut players = players(5, 2);
        assert!(players.have(TorrentId(0), 2) && !players.have(TorrentId(0), 1));
        assert_eq!(players.addresses(), []);
        players.set_token(2, TOKEN);
        players.set_token(9, TOKEN);
        let addresses = players.addresses();
        assert_eq!(
            addresses[0].url,
            "http://127.0.0.1:8080/v1/play/01010101010101010101010101010101/a%20b.mkv"
        );
        assert_eq!(addresses.len(), 1);
        players.start_session(5);
        assert_eq!(players.addresses(), []);
    }

    #[test]
    fn nothing_is_offered_to_a_bridge_on_another_machine_whatever_it_permits() {
        for here in [
            "http://127.0.0.1:8080",
            "https://localhost",
            "http://[::1]:80",
        ] {
            assert!(session(here, 1).are_possible(), "{here}");
        }
        for elsewhere in ["https://aqueduct.example", "http://192.0.2.1:8080"] {
            assert!(!session(elsewhere, 1).are_possible(), "{elsewhere}");
        }
        assert!(!session("http://127.0.0.1:8080", 0).are_possible());
    }

    #[test]
    fn the_oldest_offer_makes_room_for_a_new_one() {
        let mut players = players(3, 2);
        assert_eq!(players.take_excess(), None);
        players.add(3, TorrentId(7), 0, String::new());
        assert_eq!(players.take_excess(), Some(1));
        assert_eq!(players.file_of(1), None);
    }

    #[test]
    fn a_removed_torrent_takes_its_offers_with_it() {
        let mut players = players(9, 4);
        assert_eq!(players.remove(TorrentId(1)), [1, 3]);
        assert!(players.remove(TorrentId(1)).is_empty());
        assert_eq!(players.file_of(2), Some((TorrentId(0), 2)));
    }
}
