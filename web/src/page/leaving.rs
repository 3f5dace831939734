//! Whether closing the page would lose something, so that the user is asked first.

use crate::message::{Phase, Torrent};
use crate::storage::layout::is_created_here;

/// Whether no other peer may have all of a torrent: it was created here, and less than one copy of
/// it was uploaded, or a peer is still downloading.
pub(super) fn is_only_source(torrent: &Torrent) -> bool {
    let is_uploaded = torrent.traffic.uploaded >= torrent.progress.total.unwrap_or(0);
    is_created_here(&torrent.folder)
        && torrent.phase == Phase::Seeding
        && (!is_uploaded || torrent.peers.connected > torrent.peers.seeds)
}

/// Whether closing the page would end something that a later visit cannot continue: the user's
/// files are being copied, or this tab is the only source of a torrent.
pub(super) fn would_lose(torrent: &Torrent) -> bool {
    torrent.magnet.is_none() || is_only_source(torrent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Peers, Progress, Traffic};
    use crate::storage::layout::created_folder;

    fn shared(uploaded: u64, peers: u32) -> Torrent {
        let (folder, magnet) = (created_folder([1; 8]), Some(String::new()));
        Torrent {
            folder,
            magnet,
            phase: Phase::Seeding,
            progress: Progress {
                total: Some(100),
                ..Progress::default()
            },
            traffic: Traffic {
                uploaded,
                ..Traffic::default()
            },
            peers: Peers {
                connected: peers,
                ..Peers::default()
            },
            ..Torrent::default()
        }
    }

    #[test]
    fn the_user_is_asked_before_the_page_with_the_only_copy_closes() {
        assert!(would_lose(&shared(0, 0)) && would_lose(&shared(99, 0)));
        assert!(would_lose(&shared(150, 1)), "a peer is downloading");
        assert!(!would_lose(&shared(100, 0)));
        assert!(!would_lose(&Torrent {
            phase: Phase::Paused,
            ..shared(0, 0)
        }));
    }

    #[test]
    fn a_user_who_only_downloads_is_not_asked_but_one_whose_files_are_copied_is() {
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
