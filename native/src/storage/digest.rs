//! Reading and hashing pieces, on as many threads as there are cores.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use aqueduct_core::Rope;
use aqueduct_core::types::{Piece, Sha1Digest};
use sha1::{Digest as _, Sha1};

use super::{Disk, Storage, StorageError, narrow};

/// Bytes read before they are hashed: they must still be in the core's cache then.
const CHUNK: usize = 128 * 1024;

/// SHA-1 of bytes in memory.
#[must_use]
pub fn of_rope(data: &Rope) -> Sha1Digest {
    let mut sha = Sha1::new();
    data.0.iter().for_each(|bytes| sha.update(bytes));
    sha.finalize().into()
}

impl<D: Disk> Storage<D> {
    /// SHA-1 of bytes `offset .. offset + length` of the torrent; `None` if a file is missing or
    /// too short.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(
        &self,
        offset: u64,
        length: u32,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Sha1Digest>, StorageError> {
        let mut sha = Sha1::new();
        for span in self.info.layout(offset, u64::from(length)) {
            let size = narrow(span.range.end - span.range.start);
            match self.digest_span(span.file, span.at, size, buffer, &mut sha) {
                Err(error) if error.is_missing() => return Ok(None),
                other => other?,
            }
        }
        Ok(Some(sha.finalize().into()))
    }

    fn digest_span(
        &self,
        file: usize,
        mut at: u64,
        mut rest: usize,
        buffer: &mut Vec<u8>,
        sha: &mut Sha1,
    ) -> Result<(), StorageError> {
        while rest > 0 {
            buffer.clear();
            self.read_span(file, at, rest.min(CHUNK), buffer)?;
            sha.update(&buffer);
            at += buffer.len() as u64;
            rest -= buffer.len();
        }
        Ok(())
    }

    /// Hands `each` the digest of every piece (`None`: missing), in no order, from several threads
    /// at a time. Ends early when `each` says `false`.
    ///
    /// # Errors
    /// The first file that cannot be read.
    pub fn digest_all(
        &self,
        each: &(impl Fn(Piece, Option<Sha1Digest>) -> bool + Sync),
    ) -> Result<(), StorageError> {
        let (next, stop) = (AtomicU32::new(0), AtomicBool::new(false));
        let threads = thread::available_parallelism().map_or(2, usize::from);
        thread::scope(|scope| {
            let start = |_| scope.spawn(|| self.digest_some(&next, &stop, each));
            let running: Vec<_> = (0..threads).map(start).collect();
            running
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or(Ok(())))
        })
    }

    fn digest_some(
        &self,
        next: &AtomicU32,
        stop: &AtomicBool,
        each: &(impl Fn(Piece, Option<Sha1Digest>) -> bool + Sync),
    ) -> Result<(), StorageError> {
        let lengths = &self.info.lengths;
        let mut buffer = Vec::with_capacity(CHUNK);
        while let (false, Some(piece)) = (
            stop.load(Ordering::Relaxed),
            lengths.piece(next.fetch_add(1, Ordering::Relaxed)),
        ) {
            let digest = self.digest(lengths.offset(piece), lengths.size(piece), &mut buffer);
            let digest = digest.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            if !each(piece, digest) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
