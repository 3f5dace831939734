//! A disk that can fail, be full, and lose what was not flushed.

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

/// What a disk does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The call of this number (the first is 0) fails once.
    Call(u64),
    /// All calls from this number on fail, until the fault is taken away.
    From(u64),
    /// Writes fail for lack of space.
    Full,
    /// Writes fail for lack of space once so many bytes are stored.
    FullAfter(u64),
}

/// A resume record as the disk has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Pieces it calls had.
    pub have: Bitfield,
    /// Bytes sent.
    pub uploaded: u64,
    /// Bytes received.
    pub downloaded: u64,
}

/// One torrent's storage on one host.
#[derive(Debug)]
pub struct Disk {
    torrent: Arc<Computed>,
    durable: BTreeMap<u32, Bytes>,
    /// Written, readable, not flushed; in the order of the writes.
    unflushed: Vec<(u32, Bytes)>,
    /// Cannot be read any more, though nobody has noticed; for the rules of the world they count as
    /// had.
    lost: BTreeSet<u32>,
    /// Something else may have changed these: not readable before they were checked.
    doubted: BTreeSet<u32>,
    record: Option<Saved>,
    /// Where the next crash finds a record half replaced: it keeps the old one or has the new.
    replacing: Option<Saved>,
    /// What it does wrong from now on.
    pub fault: Fault,
    /// Calls so far (`Hash` is none).
    pub calls: u64,
    /// Unflushed writes when a flush began.
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

    /// Fills the disk with pieces that are right and flushed.
    pub fn fill(&mut self, pieces: impl Iterator<Item = Piece>) {
        for piece in pieces {
            self.durable.insert(piece.get(), self.torrent.piece(piece));
        }
    }

    /// Puts wrong bytes where a piece should be, as an editor would between two runs.
    pub fn spoil(&mut self, piece: Piece) {
        self.durable.insert(
            piece.get(),
            Bytes::from(vec![0xEE; self.torrent.lengths().size(piece) as usize]),
        );
    }

    /// Puts wrong bytes where these pieces are while the host runs, and notices: until it was
    /// checked again no piece is read for anybody.
    pub(super) fn edit(&mut self, pieces: &[Piece]) {
        self.doubted = self.torrent.lengths().iter().map(Piece::get).collect();
        for piece in pieces {
            self.unflushed
                .retain(|(written, _)| *written != piece.get());
            self.spoil(*piece);
        }
    }

    /// Has a bad sector where a piece was, until it is written anew.
    pub fn lose(&mut self, piece: Piece) {
        self.lost.insert(piece.get());
    }

    /// What can be read of a piece now.
    fn readable(&self, piece: u32) -> Option<&Bytes> {
        let newest = self
            .unflushed
            .iter()
            .rev()
            .find(|(p, _)| *p == piece)
            .map(|(_, bytes)| bytes);
        newest.or_else(|| self.durable.get(&piece))
    }

    /// Whether a piece can be read and is right.
    #[must_use]
    pub fn has(&self, piece: Piece) -> bool {
        self.readable(piece.get())
            .is_some_and(|bytes| *bytes == self.torrent.piece(piece))
    }

    /// Whether a piece would be right after a loss of power.
    #[must_use]
    pub fn has_flushed(&self, piece: Piece) -> bool {
        self.durable
            .get(&piece.get())
            .is_some_and(|bytes| *bytes == self.torrent.piece(piece))
    }

    /// Whether every piece is there and right.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.torrent.lengths().iter().all(|piece| self.has(piece))
    }

    /// The resume record.
    #[must_use]
    pub fn record(&self) -> Option<&Saved> {
        self.record.as_ref()
    }

    /// Loss of power: of the unflushed writes any may be lost, cut or kept, and the record is the
    /// old one or the new.
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

    /// When an operation that is asked for now will be done.
    pub(super) fn schedule(&mut self, now: Instant, op: &Op, rng: &mut ChaCha8Rng) -> Instant {
        match op {
            Op::Hash(rope) => {
                self.cpu_free = self.cpu_free.max(now) + Duration::from_nanos(rope.len() as u64);
                self.cpu_free
            }
            // Several operations are under way at a time on a real disk and overtake each other.
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

    /// Carries out an operation.
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
        // What is right shares the torrent's own memory, so that a thousand copies cost one.
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

    /// A failing write may leave anything behind; a failing record keeps the old one.
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

    /// As systems do when they cannot write a page: it counts as clean from then on, whatever the
    /// medium holds.
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

/// The first bytes, zeros after them: what a write that was cut leaves in a sparse file.
fn cut(bytes: &Bytes, rng: &mut ChaCha8Rng) -> Bytes {
    let keep = rng.random_range(0..bytes.len());
    let mut half = bytes[..keep].to_vec();
    half.resize(bytes.len(), 0);
    Bytes::from(half)
}

fn jitter(rng: &mut ChaCha8Rng) -> Duration {
    Duration::from_micros(rng.random_range(50..2000))
}

/// Whether a rope holds exactly these bytes.
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
