//! A simulated disk. It can fail, run out of space, and lose unflushed data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{Bitfield, Piece, PieceDigest, Sha1Digest};
use aqueduct_core::{Instant, Op, OpError, OpResult, Rope};
use bytes::Bytes;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};

use crate::torrent::Computed;

/// The fault that a disk shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    #[default]
    None,
    /// The call with this index (from 0) fails once.
    Call(u64),
    /// All calls from this index on fail, until the fault is removed.
    From(u64),
    /// Writes fail for lack of space.
    Full,
    /// Writes fail for lack of space once this many bytes are stored.
    FullAfter(u64),
}

/// A resume record on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The pieces that the record lists as complete.
    pub have: Bitfield,
    /// The number of bytes uploaded.
    pub uploaded: u64,
    /// The number of bytes downloaded.
    pub downloaded: u64,
}

/// The storage of one torrent on one host.
#[derive(Debug)]
pub struct Disk {
    torrent: Arc<Computed>,
    durable: BTreeMap<u32, Bytes>,
    /// Writes that are readable but not flushed, in order.
    unflushed: Vec<(u32, Bytes)>,
    /// Pieces that can no longer be read, although no read has failed yet. The world's invariants
    /// count them as complete.
    lost: BTreeSet<u32>,
    /// Pieces that another program may have changed. They are not readable until they have been
    /// checked.
    doubted: BTreeSet<u32>,
    record: Option<Saved>,
    /// The record that is being replaced. A crash leaves either the old one or the new one.
    replacing: Option<Saved>,
    /// The current fault.
    pub fault: Fault,
    /// The number of calls so far; `Hash` is not counted.
    pub calls: u64,
    /// The number of unflushed writes when the current flush began.
    mark: usize,
    disk_free: Instant,
    cpu_free: Instant,
}

impl Disk {
    pub(super) fn new(torrent: Arc<Computed>) -> Self {
        Self {
            torrent,
            durable: BTreeMap::new(),
            unflushed: Vec::new(),
            lost: BTreeSet::new(),
            doubted: BTreeSet::new(),
            record: None,
            replacing: None,
            fault: Fault::None,
            calls: 0,
            mark: 0,
            disk_free: Instant::ZERO,
            cpu_free: Instant::ZERO,
        }
    }

    /// Stores correct pieces and flushes them.
    pub fn fill(&mut self, pieces: impl Iterator<Item = Piece>) {
        for piece in pieces {
            self.durable.insert(piece.get(), self.torrent.piece(piece));
        }
    }

    /// Overwrites a piece with wrong bytes, as an edit between two runs would.
    pub fn spoil(&mut self, piece: Piece) {
        self.durable.insert(
            piece.get(),
            Bytes::from(vec![0xEE; self.torrent.lengths().size(piece) as usize]),
        );
    }

    /// Overwrites pieces with wrong bytes while the host runs, and reports the change: they are not
    /// readable until they have been checked.
    pub(super) fn edit(&mut self, pieces: &[Piece]) {
        self.doubted = self.torrent.lengths().iter().map(Piece::get).collect();
        for piece in pieces {
            self.unflushed
                .retain(|(written, _)| *written != piece.get());
            self.spoil(*piece);
        }
    }

    /// Makes a piece unreadable, as a bad sector would, until it is written again.
    pub fn lose(&mut self, piece: Piece) {
        self.lost.insert(piece.get());
    }

    /// The bytes of a piece that can be read now.
    fn readable(&self, piece: u32) -> Option<&Bytes> {
        let newest = self
            .unflushed
            .iter()
            .rev()
            .find(|(p, _)| *p == piece)
            .map(|(_, bytes)| bytes);
        newest.or_else(|| self.durable.get(&piece))
    }

    /// Whether a piece can be read and is correct.
    #[must_use]
    pub fn has(&self, piece: Piece) -> bool {
        self.readable(piece.get())
            .is_some_and(|bytes| *bytes == self.torrent.piece(piece))
    }

    /// Whether a piece would be correct after a power loss.
    #[must_use]
    pub fn has_flushed(&self, piece: Piece) -> bool {
        self.durable
            .get(&piece.get())
            .is_some_and(|bytes| *bytes == self.torrent.piece(piece))
    }

    /// Whether every piece can be read and is correct.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.torrent.lengths().iter().all(|piece| self.has(piece))
    }

    /// The current resume record.
    #[must_use]
    pub fn record(&self) -> Option<&Saved> {
        self.record.as_ref()
    }

    /// A power loss: each unflushed write may be lost, truncated or kept, and the record is either
    /// the old one or the new one.
    pub(super) fn crash(&mut self, rng: &mut ChaCha8Rng) {
        for (piece, bytes) in std::mem::take(&mut self.unflushed) {
            match rng.random_range(0..3) {
                0 => {}
                1 => drop(self.durable.insert(piece, cut(&bytes, rng))),
                _ => drop(self.durable.insert(piece, bytes)),
            }
        }
        if let Some(new) = self.replacing.take().filter(|_| rng.random_bool(0.5)) {
            self.record = Some(new);
        }
        self.mark = 0;
    }

    /// When an operation that is requested now will complete.
    pub(super) fn schedule(&mut self, now: Instant, op: &Op, rng: &mut ChaCha8Rng) -> Instant {
        match op {
            Op::Hash(rope) => {
                self.cpu_free = self.cpu_free.max(now) + Duration::from_nanos(rope.len() as u64);
                self.cpu_free
            }
            // On a real disk several operations are in progress at a time and overtake each other.
            Op::Write { data, .. } => self.occupy(now, data.len() as u64) + jitter(rng),
            Op::Read { length, .. } => self.occupy(now, u64::from(*length)) + jitter(rng),
            Op::Check(range) => self.occupy(now, u64::from(range.length)) + jitter(rng),
            Op::Flush => {
                self.mark = self.unflushed.len();
                now + Duration::from_millis(5)
            }
            Op::Save {
                have,
                uploaded,
                downloaded,
            } => {
                self.replacing = Some(Saved {
                    have: have.clone(),
                    uploaded: *uploaded,
                    downloaded: *downloaded,
                });
                now + Duration::from_millis(5)
            }
        }
    }

    fn occupy(&mut self, now: Instant, bytes: u64) -> Instant {
        self.disk_free = self.disk_free.max(now) + Duration::from_nanos(bytes * 4);
        self.disk_free
    }

    /// Executes an operation.
    pub(super) fn perform(&mut self, op: Op, rng: &mut ChaCha8Rng) -> Result<OpResult, OpError> {
        if let Op::Hash(rope) = op {
            return Ok(OpResult::Digest(PieceDigest::V1(digest(&rope))));
        }
        let call = self.calls;
        self.calls += 1;
        let failing = match self.fault {
            Fault::Call(k) => call == k,
            Fault::From(k) => call >= k,
            _ => false,
        };
        if failing {
            self.fail_half_way(op, rng);
            return Err(OpError::Storage {
                full: false,
                message: format!("storage call {call} failed; look at the disk"),
            });
        }
        self.succeed(op)
    }

    fn succeed(&mut self, op: Op) -> Result<OpResult, OpError> {
        match op {
            Op::Hash(rope) => Ok(OpResult::Digest(PieceDigest::V1(digest(&rope)))),
            Op::Write { offset, data } => self.write(offset, &data),
            Op::Read { offset, .. } if self.doubted.contains(&self.piece_at(offset).get()) => {
                Err(OpError::Storage {
                    full: false,
                    message: "something else wrote to the file".to_owned(),
                })
            }
            Op::Read { offset, .. } if self.lost.contains(&self.piece_at(offset).get()) => {
                Err(OpError::Storage {
                    full: false,
                    message: "the medium has an error; look at the disk".to_owned(),
                })
            }
            Op::Check(range) if self.lost.contains(&range.piece.get()) => Ok(OpResult::Missing),
            Op::Read { offset, length } => Ok(OpResult::Bytes(self.read(offset, length))),
            Op::Check(range) => {
                self.doubted.remove(&range.piece.get());
                Ok(self
                    .readable(range.piece.get())
                    .map_or(OpResult::Missing, |bytes| {
                        OpResult::Digest(PieceDigest::V1(Sha1::digest(bytes).into()))
                    }))
            }
            Op::Flush => {
                let flushed = self
                    .unflushed
                    .drain(..self.mark.min(self.unflushed.len()))
                    .collect::<Vec<_>>();
                self.durable.extend(flushed);
                self.mark = 0;
                Ok(OpResult::Unit)
            }
            Op::Save {
                have,
                uploaded,
                downloaded,
            } => {
                self.record = Some(Saved {
                    have,
                    uploaded,
                    downloaded,
                });
                self.replacing = None;
                Ok(OpResult::Unit)
            }
        }
    }

    fn write(&mut self, offset: u64, data: &Rope) -> Result<OpResult, OpError> {
        let stored: u64 = self
            .durable
            .values()
            .chain(self.unflushed.iter().map(|(_, bytes)| bytes))
            .map(|bytes| bytes.len() as u64)
            .sum();
        let full = match self.fault {
            Fault::Full => true,
            Fault::FullAfter(limit) => stored + data.len() as u64 > limit,
            _ => false,
        };
        if full {
            return Err(OpError::Storage {
                full: true,
                message: "no space left; free some and resume".to_owned(),
            });
        }
        let piece = self.piece_at(offset);
        let expected = self.torrent.piece(piece);
        // Correct data share the torrent's own memory, so that a thousand copies need the space of
        // one.
        let stored = if equal(data, &expected) {
            expected
        } else {
            flat(data)
        };
        self.lost.remove(&piece.get());
        self.doubted.remove(&piece.get());
        self.unflushed.push((piece.get(), stored));
        Ok(OpResult::Unit)
    }

    fn read(&self, offset: u64, length: u32) -> Bytes {
        let piece = self.piece_at(offset);
        let begin = usize::try_from(offset - self.torrent.lengths().offset(piece)).unwrap();
        let bytes = self
            .readable(piece.get())
            .unwrap_or_else(|| panic!("piece {} is read and was never written", piece.get()));
        bytes.slice(begin..begin + length as usize)
    }

    /// A failed write may leave anything behind. A failed save keeps the old record.
    fn fail_half_way(&mut self, op: Op, rng: &mut ChaCha8Rng) {
        match op {
            Op::Write { offset, data } if rng.random_bool(0.5) => {
                let piece = self.piece_at(offset);
                self.unflushed.push((piece.get(), cut(&flat(&data), rng)));
            }
            Op::Flush => self.drop_unflushed(rng),
            Op::Save { .. } => self.replacing = None,
            _ => {}
        }
    }

    /// Emulates systems that mark a page as clean after a failed write-back, whatever the medium
    /// holds.
    fn drop_unflushed(&mut self, rng: &mut ChaCha8Rng) {
        let begun = self.mark.min(self.unflushed.len());
        self.mark = 0;
        for (piece, bytes) in self.unflushed.drain(..begun).collect::<Vec<_>>() {
            if rng.random_bool(0.5) {
                self.durable.insert(piece, bytes);
            } else {
                self.lost.insert(piece);
            }
        }
    }

    fn piece_at(&self, offset: u64) -> Piece {
        let lengths = self.torrent.lengths();
        let index = u32::try_from(offset / u64::from(lengths.piece_length())).unwrap();
        lengths
            .piece(index)
            .unwrap_or_else(|| panic!("offset {offset} is outside the torrent"))
    }
}

/// A prefix of the bytes, followed by zeros, as a truncated write leaves in a sparse file.
fn cut(bytes: &Bytes, rng: &mut ChaCha8Rng) -> Bytes {
    let keep = rng.random_range(0..bytes.len());
    let mut half = bytes[..keep].to_vec();
    half.resize(bytes.len(), 0);
    Bytes::from(half)
}

fn jitter(rng: &mut ChaCha8Rng) -> Duration {
    Duration::from_micros(rng.random_range(50..2000))
}

/// Whether the rope contains exactly these bytes.
pub(super) fn equal(rope: &Rope, expected: &Bytes) -> bool {
    let mut at = 0;
    let same = rope.0.iter().all(|part| {
        let here = expected.get(at..at + part.len());
        at += part.len();
        here == Some(&part[..])
    });
    same && at == expected.len()
}

fn flat(rope: &Rope) -> Bytes {
    rope.0
        .iter()
        .flat_map(|part| part.iter().copied())
        .collect()
}

fn digest(rope: &Rope) -> Sha1Digest {
    let mut sha1 = Sha1::new();
    rope.0.iter().for_each(|part| sha1.update(part));
    sha1.finalize().into()
}
