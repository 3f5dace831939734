//! Names of clients, from peer ids in the style of BEP 20: `-TR4060-` is Transmission 4.0.6.

use aqueduct_core::types::{PeerId, visible};

use crate::texts::peers as texts;

/// Two letters, and the client that uses them.
const NAMES: [(&str, &str); 20] = [
    ("AG", "Ares"),
    ("AQ", "Aqueduct"),
    ("AZ", "Vuze"),
    ("BC", "BitComet"),
    ("BI", "BiglyBT"),
    ("BT", "BitTorrent"),
    ("DE", "Deluge"),
    ("FD", "Free Download Manager"),
    ("KT", "KTorrent"),
    ("LT", "libtorrent"),
    ("TR", "Transmission"),
    ("TX", "Tixati"),
    ("UM", "\u{b5}Torrent for Mac"),
    ("UT", "\u{b5}Torrent"),
    ("UW", "\u{b5}Torrent Web"),
    ("WW", "WebTorrent"),
    ("lt", "rTorrent"),
    ("pi", "PicoTorrent"),
    ("qB", "qBittorrent"),
    ("rQ", "rqbit"),
];

/// The client and its version. Of a client that is not known, the printable part of its id.
pub(super) fn client_name(id: PeerId) -> String {
    known(&id.0).unwrap_or_else(|| {
        let printable: String = id.0[..8]
            .iter()
            .map(|byte| char::from(*byte))
            .take_while(char::is_ascii_graphic)
            .collect();
        if printable.len() < 3 {
            texts::unknown_client().to_owned()
        } else {
            visible(&printable).into_owned()
        }
    })
}

fn known(id: &[u8; 20]) -> Option<String> {
    if let Some(rest) = id.strip_prefix(b"A2-") {
        let version = rest.iter().map(|byte| char::from(*byte));
        let version: String = version
            .take_while(|c| c.is_ascii_digit() || *c == '-')
            .collect();
        return Some(format!(
            "aria2 {}",
            version.trim_matches('-').replace('-', ".")
        ));
    }
    let [b'-', a, b, version @ .., _] = &id[..8] else {
        return None;
    };
    let code = [char::from(*a), char::from(*b)];
    let (_, name) = NAMES.iter().find(|(letters, _)| letters.chars().eq(code))?;
    Some(format!("{name} {}", numbers(version)?))
}

/// The digits of a version, of which letters are those from 10, without a last zero.
fn numbers(version: &[u8]) -> Option<String> {
    let digits: Option<Vec<u32>> = version
        .iter()
        .map(|byte| char::from(*byte).to_digit(36))
        .collect();
    let mut digits = digits?;
    if digits.len() > 3 && digits.last() == Some(&0) {
        digits.pop();
    }
    let texts: Vec<String> = digits.iter().map(u32::to_string).collect();
    Some(texts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(prefix: &str) -> String {
        let mut id = [b'x'; 20];
        id[..prefix.len()].copy_from_slice(prefix.as_bytes());
        client_name(PeerId(id))
    }

    #[test]
    fn clients_are_known_by_their_peer_ids() {
        assert_eq!(name("-TR4060-"), "Transmission 4.0.6");
        assert_eq!(name("-LT20B0-"), "libtorrent 2.0.11");
        assert_eq!(name("-qB5012-"), "qBittorrent 5.0.1.2");
        assert_eq!(name("A2-1-37-0-"), "aria2 1.37.0");
    }

    #[test]
    fn an_unknown_id_is_shown_as_far_as_it_can_be_printed() {
        assert_eq!(name("-ZZ1234-"), "-ZZ1234-");
        assert_eq!(name("M7-0-"), "M7-0-xxx");
        assert_eq!(name("\u{1}\u{2}"), "Unknown");
        assert_eq!(name("-TR\u{1}\u{1}\u{1}\u{1}-"), "-TR");
        assert_eq!(client_name(PeerId([0xff; 20])), "Unknown");
    }
}
