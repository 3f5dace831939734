//! Errors of the core in terms for users: what is wrong, and what to do about it.

use aqueduct_core::CommandError;
use aqueduct_core::bencode::BencodeFault;
use aqueduct_core::meta::{MagnetError, MetainfoError};
use aqueduct_core::tunnel::{Refusal, TrackerFailure};
use aqueduct_core::types::visible;

use crate::texts::{bridge, errors as texts, trackers};

/// The format of a file that is not a torrent, detected from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    WebPage,
    Archive,
    MagnetLink,
    Other,
}

fn kind(bytes: &[u8]) -> Kind {
    let text = bytes
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(bytes)
        .trim_ascii_start();
    let archives: [&[u8]; 5] = [b"\x1f\x8b", b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"BZh"];
    match text {
        [] => Kind::Empty,
        [b'<', ..] => Kind::WebPage,
        text if text
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"magnet:")) =>
        {
            Kind::MagnetLink
        }
        _ if archives.iter().any(|start| bytes.starts_with(start)) => Kind::Archive,
        _ => Kind::Other,
    }
}

/// Why a file of this name is refused as a torrent.
pub(super) fn not_a_torrent(name: &str, bytes: &[u8], error: &MetainfoError) -> String {
    let name = visible(name);
    match kind(bytes) {
        Kind::Empty => texts::empty_file(name),
        Kind::WebPage => texts::web_page(name),
        Kind::Archive => texts::archive(name),
        Kind::MagnetLink => texts::file_with_link(name),
        Kind::Other if is_cut_off(error) => texts::incomplete_file(name),
        // A detail does not help if the bytes are not bencode at all.
        Kind::Other if matches!(error, MetainfoError::Bencode(_)) => texts::damaged_file(name),
        Kind::Other => texts::damaged_file_with_detail(name, error),
    }
}

fn is_cut_off(error: &MetainfoError) -> bool {
    matches!(error, MetainfoError::Bencode(error) if matches!(error.fault, BencodeFault::End | BencodeFault::Overrun { .. }))
}

/// Why a text is refused as a link.
pub(super) fn not_a_link(error: &MagnetError) -> String {
    match error {
        MagnetError::NotMagnet => texts::no_link().to_owned(),
        MagnetError::TooLong { .. } => texts::link_too_long().to_owned(),
        MagnetError::NoHash | MagnetError::Hash(_) | MagnetError::Multihash => {
            texts::damaged_link(error)
        }
        MagnetError::TwoTorrents => texts::two_torrents().to_owned(),
        MagnetError::Select { .. } => texts::invalid_link(error),
    }
}

/// Why the engine refuses a command.
pub(super) fn not_done(error: &CommandError) -> String {
    match error {
        CommandError::NoSuchTorrent(_) => texts::not_listed().to_owned(),
        CommandError::Duplicate(_) => texts::already_listed().to_owned(),
        CommandError::V2Only => texts::only_v2().to_owned(),
        CommandError::ShuttingDown => texts::closing().to_owned(),
        CommandError::TooMany(limit) => texts::list_is_full(limit),
        CommandError::Files { .. } => texts::not_possible(error),
    }
}

/// Why the bridge refuses this tab, and what to do.
pub(super) fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Version => bridge::other_version(),
        Refusal::Token => bridge::token_required(),
        Refusal::Origin => bridge::foreign_page(),
        Refusal::Subprotocol => bridge::altered_messages(),
        Refusal::Address => bridge::too_many_tabs(),
        Refusal::Full => bridge::full(),
        Refusal::Draining => bridge::restarting(),
        Refusal::Protocol => bridge::not_understood(),
        Refusal::Silent => bridge::silent_page(),
    }
}

/// How a tracker failed, as a clause.
pub(super) fn tracker_failure(failure: TrackerFailure) -> &'static str {
    match failure {
        TrackerFailure::Url => trackers::bad_address(),
        TrackerFailure::NoAnswer => trackers::no_answer(),
        TrackerFailure::Refused => trackers::refused(),
        TrackerFailure::Forbidden => trackers::forbidden(),
        TrackerFailure::NotRegistered => trackers::not_registered(),
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::meta::{Magnet, Metainfo};

    use super::*;
    use crate::texts::Language;

    fn told(bytes: &[u8]) -> String {
        not_a_torrent("film.torrent", bytes, &Metainfo::parse(bytes).unwrap_err())
    }

    #[test]
    fn a_file_that_is_not_a_torrent_is_named_for_what_it_is() {
        for (bytes, words) in [
            (&b""[..], "film.torrent is empty."),
            (
                b"\n<!DOCTYPE html><html>",
                "film.torrent is a web page, not a torrent.",
            ),
            (
                b"\xef\xbb\xbf<html>",
                "film.torrent is a web page, not a torrent.",
            ),
            (b"\x1f\x8b\x08\0\0", "film.torrent is a compressed archive."),
            (b"PK\x03\x04", "film.torrent is a compressed archive."),
            (
                b"Magnet:?xt=urn:btih:00",
                "film.torrent holds a magnet link.",
            ),
            (b"d8:announce20:http://tracke", "film.torrent is incomplete"),
            (b"d8:announce", "film.torrent is incomplete"),
            (b"hello", "film.torrent is damaged, or it is not a torrent."),
        ] {
            let told = told(bytes);
            assert!(told.starts_with(words), "{told}");
            assert!(!told.contains("0x"), "{told}");
        }
    }

    #[test]
    fn bidirectional_override_characters_in_a_name_are_made_visible() {
        let told = not_a_torrent(
            "a\u{202e}b.torrent",
            b"",
            &Metainfo::parse(b"").unwrap_err(),
        );
        assert_eq!(told, "a\\u{202e}b.torrent is empty. Download it again.");
    }

    #[test]
    fn a_refusal_is_told_in_german_and_the_detail_for_the_author_stays() {
        Language::German.during(|| {
            assert_eq!(
                told(b"PK\x03\x04"),
                "film.torrent ist ein komprimiertes Archiv. Es entpacken und die Torrent-Datei auswählen, die darin liegt."
            );
            let damaged = not_a_link(&MagnetError::NoHash);
            assert!(damaged.starts_with("Dieser Magnet-Link ist beschädigt"));
            assert!(damaged.ends_with(&format!("({})", MagnetError::NoHash)));
            let failure = tracker_failure(TrackerFailure::Refused);
            assert_eq!(failure, "er hat die Anfrage abgelehnt");
        });
    }

    #[test]
    fn a_refused_link_says_what_a_link_looks_like() {
        assert!(
            not_a_link(&Magnet::parse("hello").unwrap_err())
                .contains("begins with \u{201c}magnet:?\u{201d}")
        );
        assert!(
            not_a_link(&Magnet::parse("magnet:?xt=urn:btih:12345").unwrap_err())
                .contains("Copy the whole link again")
        );
    }
}
