//! The number of open files and sockets, and their division.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::storage::handles::MAX_OPEN;

/// Descriptors that are not part of [`Shares`]: standard streams, event queues, listeners, datagram
/// sockets, a few HTTP requests.
const OTHERS: usize = 40;
/// The number of descriptors without which no command can do its work.
const LEAST: u64 = 32;
/// The number of descriptors per torrent in addition to its files: its folder, the two files of its
/// record, and their folder.
const PER_TORRENT: usize = 4;

/// The maximum number of accepted connections whose handshake is not complete. A further one takes
/// the slot of another one.
const MAX_HALF_OPEN: usize = 64;
/// The maximum number of simultaneous dials.
const MAX_DIALLING: usize = 40;

/// Raises this process's limit on open files to the system's maximum. The default is 1,024 (on some
/// systems 256), for programs that cannot handle more; five hundred peers, the files of many
/// torrents and ten thousand tabs need more.
///
/// If the system refuses, the limit is not changed.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
}

/// Why a program cannot start: this process may have too few open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {0} files and sockets, and needs {LEAST} at least; raise the limit (`ulimit -n`)"
)]
pub struct TooFew(u64);

/// Raises the limit as [`raise_limit`] does, and checks it.
///
/// # Errors
/// It is too low for any command.
pub fn require() -> Result<(), TooFew> {
    raise_limit();
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if limit < LEAST {
        return Err(TooFew(limit));
    }
    Ok(())
}

/// The division of a process's descriptors. Peers get what files leave, so that a file can be
/// opened whatever the number of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The maximum number of open files of torrents.
    pub files: usize,
    /// The maximum number of connected peers and dials over all torrents.
    pub peers: usize,
    /// The maximum number of simultaneous dials.
    pub dialling: usize,
    /// The maximum number of accepted connections that have not completed their handshake.
    pub half_open: usize,
}

impl Shares {
    /// Divides this process's limit for `torrents` torrents. There are at most `peers` peers, and
    /// fewer only if the limit is low.
    #[must_use]
    pub fn of_limit(torrents: usize, peers: usize) -> Self {
        let limit = getrlimit(Resource::Nofile)
            .current
            .and_then(|limit| usize::try_from(limit).ok());
        Self::of(limit.unwrap_or(usize::MAX), torrents, peers)
    }

    fn of(limit: usize, torrents: usize, peers: usize) -> Self {
        let left = limit
            .saturating_sub(OTHERS)
            .saturating_sub(torrents.saturating_mul(PER_TORRENT));
        let files = (left / 3).clamp(2, MAX_OPEN);
        let sockets = left.saturating_sub(files);
        let (dialling, half_open) = (
            (sockets / 8).clamp(1, MAX_DIALLING),
            (sockets / 8).clamp(1, MAX_HALF_OPEN),
        );
        // Dials count among the peers.
        Self {
            files,
            peers: sockets.saturating_sub(half_open).clamp(1, peers.max(1)),
            dialling,
            half_open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_the_system_allows() {
        raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn files_have_their_share_of_any_limit_and_a_usual_one_suffices_for_all() {
        let usual = Shares {
            files: MAX_OPEN,
            peers: 500,
            dialling: MAX_DIALLING,
            half_open: MAX_HALF_OPEN,
        };
        assert_eq!(
            (Shares::of(1024, 1, 500), Shares::of(usize::MAX, 1, 500)),
            (usual, usual)
        );
        for limit in 0..2000 {
            for torrents in [1, 10, 1000] {
                let Shares {
                    files,
                    peers,
                    dialling,
                    half_open,
                } = Shares::of(limit, torrents, 100_000);
                assert!(files >= 2 && peers >= 1 && dialling >= 1 && half_open >= 1);
                let all = OTHERS + torrents * PER_TORRENT + files + peers + half_open;
                assert!(
                    all <= limit.max(OTHERS + torrents * PER_TORRENT + 4),
                    "{limit} {torrents}: {all}"
                );
            }
        }
        assert_eq!(
            Shares::of(64, 1, 500),
            Shares {
                files: 6,
                peers: 13,
                dialling: 1,
                half_open: 1
            }
        );
    }
}
