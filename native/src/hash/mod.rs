//! Digests of data, with the CPU's SHA instructions if available, on as many threads as there are
//! cores.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use aqueduct_core::Rope;
use aqueduct_core::types::{Lengths, Piece, Sha1Digest};
use sha1::{Digest as _, Sha1};

/// The number of bytes to read before hashing them, so that they are still in the core's cache.
pub const CHUNK: usize = 128 * 1024;

/// SHA-1 of bytes that come one chunk after the other.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha1);

impl Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> Sha1Digest {
        self.0.finalize().into()
    }
}

/// SHA-1 of bytes in memory.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Sha1Digest {
    Sha1::digest(bytes).into()
}

/// SHA-1 of the slices of a piece in memory.
#[must_use]
pub fn of_rope(data: &Rope) -> Sha1Digest {
    let mut hasher = Hasher::default();
    data.0.iter().for_each(|bytes| hasher.update(bytes));
    hasher.finish()
}

/// Calls `digest` for every piece, from several threads at a time, and passes its result to `each`,
/// in no order. `digest` gets a buffer that its thread uses again. Ends early when `each` returns
/// `false`.
///
/// # Errors
/// The first error of `digest`; the other threads end with the pieces that they are at.
pub fn every_piece<T, E: Send>(
    lengths: &Lengths,
    digest: &(impl Fn(Piece, &mut Vec<u8>) -> Result<T, E> + Sync),
    each: &(impl Fn(Piece, T) -> bool + Sync),
) -> Result<(), E> {
    let (next, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let work = || {
        let mut buffer = Vec::with_capacity(CHUNK);
        while let (false, Some(piece)) = (
            stop.load(Ordering::Relaxed),
            lengths.piece(next.fetch_add(1, Ordering::Relaxed)),
        ) {
            let digest = digest(piece, &mut buffer);
            let digest = digest.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            if !each(piece, digest) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;

    #[test]
    fn slices_have_the_digest_of_the_bytes_that_they_make() {
        let rope = Rope(vec![Bytes::from_static(b"a"), Bytes::from_static(b"bc")]);
        assert_eq!(of_rope(&rope), of_bytes(b"abc"));
        assert_eq!(of_bytes(b"abc")[..4], [0xa9, 0x99, 0x3e, 0x36]);
    }

    #[test]
    fn every_piece_is_visited_once_until_one_fails_or_the_caller_has_enough() {
        let lengths = Lengths::new(100, 7).unwrap();
        let visited = Mutex::new(Vec::new());
        let digest = |piece: Piece, _: &mut Vec<u8>| Ok::<_, ()>(piece.get());
        let each = |_: Piece, number| {
            visited.lock().unwrap().push(number);
            true
        };
        every_piece(&lengths, &digest, &each).unwrap();
        let mut visited = visited.into_inner().unwrap();
        visited.sort_unstable();
        assert_eq!(visited, (0..15).collect::<Vec<_>>());
        let failing = |piece: Piece, _: &mut Vec<u8>| Err::<(), _>(piece.get());
        assert!(every_piece(&lengths, &failing, &|_, ()| true).is_err());
        every_piece(&lengths, &digest, &|_, _| false).unwrap();
    }
}
