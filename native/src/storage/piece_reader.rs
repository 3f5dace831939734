//! Reads pieces to digest them, alone or two at a time.

use aqueduct_core::types::Sha1Digest;

use super::disk::Disk;
use super::error::StorageError;
use super::files::narrow;
use super::watched::WatchedFiles;
use crate::hash::{self, Buffers, Hasher};

/// Whether a chunk was read; `false`: there is none left.
type Filled = Result<bool, StorageError>;
/// `None`: a file is missing or too short.
type Digested = Result<Option<Sha1Digest>, StorageError>;

/// Reads a range of a torrent's bytes in chunks of [`hash::CHUNK`].
#[derive(Debug)]
pub(super) struct PieceReader<'a, D: Disk> {
    watched: &'a WatchedFiles<D>,
    /// The next byte of the torrent.
    offset: u64,
    end: u64,
}

impl<'a, D: Disk> PieceReader<'a, D> {
    pub(super) fn new(watched: &'a WatchedFiles<D>, offset: u64, length: u32) -> Self {
        Self {
            watched,
            offset,
            end: offset.saturating_add(length.into()),
        }
    }

    /// SHA-1 of the range.
    ///
    /// # Errors
    /// A file cannot be read, or another program changed it.
    pub(super) fn digest(mut self, buffer: &mut Vec<u8>) -> Digested {
        let filled = self.fill(buffer);
        self.finish(filled, Hasher::default(), buffer)
    }

    /// SHA-1 of two ranges, digested at the same time as long as both have bytes.
    pub(super) fn digest_pair(
        [mut a, mut b]: [Self; 2],
        [a_buffer, b_buffer]: &mut Buffers,
    ) -> [Digested; 2] {
        let (mut a_hasher, mut b_hasher) = (Hasher::default(), Hasher::default());
        loop {
            match (a.fill(a_buffer), b.fill(b_buffer)) {
                (Ok(true), Ok(true)) => {
                    let hashers = [&mut a_hasher, &mut b_hasher];
                    Hasher::update_pair(hashers, [a_buffer, b_buffer]);
                }
                (a_filled, b_filled) => {
                    return [
                        a.finish(a_filled, a_hasher, a_buffer),
                        b.finish(b_filled, b_hasher, b_buffer),
                    ];
                }
            }
        }
    }

    /// Replaces what is in `buffer` by the next bytes.
    fn fill(&mut self, buffer: &mut Vec<u8>) -> Filled {
        buffer.clear();
        let length = (self.end - self.offset).min(hash::CHUNK as u64);
        for span in self.watched.files.info.layout(self.offset, length) {
            let length = narrow(span.range.end - span.range.start);
            self.watched.read(span.file, span.at, length, buffer)?;
        }
        self.offset += length;
        Ok(length > 0)
    }

    /// Digests what is in `buffer` if it was `filled`, and all that follows.
    fn finish(mut self, mut filled: Filled, mut hasher: Hasher, buffer: &mut Vec<u8>) -> Digested {
        loop {
            match filled {
                Ok(true) => hasher.update(buffer),
                Ok(false) => return Ok(Some(hasher.finish())),
                Err(error) if error.is_missing() => return Ok(None),
                Err(error) => return Err(error),
            }
            filled = self.fill(buffer);
        }
    }
}
