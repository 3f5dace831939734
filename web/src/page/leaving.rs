//! What would be lost if the page were closed now, so that the user is asked first.

use crate::message::{Phase, Torrent};
use crate::storage::layout::is_own_folder;

/// Whether nobody else may have all of a torrent: it was made here, and less than one copy of it
/// was passed on.
#[must_use]
pub fn is_only_source(torrent: &Torrent) -> bool {
    let passed_on = torrent.uploaded >= torrent.total.unwrap_or(0);
    is_own_folder(&torrent.folder)
        && torrent.phase == Phase::Seeding
        && (!passed_on || torrent.peers > torrent.seeds)
}

/// Whether closing the page would end something that a later visit cannot make good: the user's
/// files are being copied, or others fetch what nobody else may have.
#[must_use]
pub fn would_lose(torrent: &Torrent) -> bool {
    torrent.magnet.is_none() || is_only_source(torrent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::layout::own_folder;

    fn shared(uploaded: u64, peers: u32) -> Torrent {
        let (folder, magnet) = (own_folder([1; 8]), Some(String::new()));
        Torrent {
            folder,
            magnet,
            phase: Phase::Seeding,
            total: Some(100),
            uploaded,
            peers,
            ..Torrent::default()
        }
    }

    #[test]
    fn whoever_shares_what_nobody_else_has_is_asked_before_the_page_closes() {
        assert!(would_lose(&shared(0, 0)) && would_lose(&shared(99, 0)));
        assert!(would_lose(&shared(150, 1)), "somebody is fetching");
        assert!(!would_lose(&shared(100, 0)));
        assert!(!would_lose(&Torrent {
            phase: Phase::Paused,
            ..shared(0, 0)
        }));
    }

    #[test]
    fn whoever_downloads_is_asked_only_while_own_files_are_copied() {
        let downloaded = Torrent {
            folder: "0123".to_owned(),
            ..shared(0, 5)
        };
        assert!(!would_lose(&downloaded));
        assert!(would_lose(&Torrent {
            magnet: None,
            phase: Phase::Checking,
            ..Torrent::default()
        }));
    }
}
