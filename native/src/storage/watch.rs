//! Whether files are as this program left them.
//!
//! After every own action on a file its *facts* are noted: which file it is, its length and its
//! times. Whoever reads or writes it afterwards compares. Other facts mean that something else
//! removed, replaced or wrote to the file: its pieces are *doubted*, which means not readable for
//! peers and not vouched for in a record, until each was read and hashed again.
//!
//! One gap is left: a write of something else to a file that falls between the look before an own
//! write to it and the look after, some hundred microseconds, passes for our own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::FileChange;
use aqueduct_core::meta::Info;
use aqueduct_core::types::{Bitfield, Piece};

use super::disk::Stat;

/// An own action on a file and the look at it afterwards must not mix with another thread's. Files
/// share this many locks.
const TURNS: usize = 16;
/// A file whose time of change alone moves (a link, a new owner, a file system of its own mind) is
/// looked at so many times in one run.
const MOST_TOUCHES: u8 = 8;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    device: u64,
    inode: u64,
    size: u64,
    modified: u64,
    changed: u64,
}

impl Facts {
    /// `None`: the file has no name any more.
    pub(super) fn of(stat: &Stat) -> Option<Self> {
        let &Stat {
            device,
            inode,
            size,
            modified,
            changed,
            is_linked,
            ..
        } = stat;
        is_linked.then_some(Self {
            device,
            inode,
            size,
            modified,
            changed,
        })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The number alone says little: FAT and its relatives give a file another one each time that
    /// it is looked up after a while.
    fn is_as(&self, other: &Self) -> bool {
        Self {
            inode: other.inode,
            ..*self
        } == *other
    }

    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    fn is_touched_alone(&self, other: &Self) -> bool {
        Self {
            changed: other.changed,
            ..*self
        } == *other
    }
}

/// What became of a file that was noticed to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) change: FileChange,
    /// Whether it is another file now, or none.
    pub(super) is_other: bool,
}

/// The files of one torrent.
#[derive(Debug)]
pub(super) struct Watch {
    info: Arc<Info>,
    turns: [Mutex<()>; TURNS],
    noticed: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// One a file; `None`: it is not there.
    facts: Vec<Option<Facts>>,
    doubted: Bitfield,
    /// Changes that nobody was told of.
    changes: Vec<(u32, FileChange)>,
    touches: BTreeMap<usize, u8>,
}

impl Watch {
    pub(super) fn new(info: Arc<Info>, facts: Vec<Option<Facts>>) -> Self {
        let doubted = Bitfield::none(info.lengths.pieces());
        let inner = Inner {
            facts,
            doubted,
            changes: Vec::new(),
            touches: BTreeMap::new(),
        };
        Self {
            info,
            turns: Default::default(),
            noticed: AtomicU64::new(0),
            inner: Mutex::new(inner),
        }
    }

    /// Held while a file is acted on and its facts are noted, or while they are compared.
    pub(super) fn turn(&self, index: usize) -> Option<MutexGuard<'_, ()>> {
        self.turns
            .get(index % TURNS)
            .map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes noticed so far. What was read is worth something if this is the same afterwards.
    pub(super) fn noticed(&self) -> u64 {
        self.noticed.load(Ordering::Acquire)
    }

    pub(super) fn facts(&self, index: usize) -> Option<Facts> {
        self.lock().facts.get(index).copied().flatten()
    }

    pub(super) fn is_as_noted(&self, index: usize, now: &Stat) -> bool {
        matches!((self.facts(index), Facts::of(now)), (Some(then), Some(now)) if then.is_as(&now))
    }

    /// Notes what this program made of a file.
    pub(super) fn note(&self, index: usize, facts: Option<Facts>) {
        if let Some(noted) = self.lock().facts.get_mut(index) {
            *noted = facts;
        }
    }

    /// Takes a file for what it is now. Returns what happened to it, if anything did.
    pub(super) fn compare(&self, index: usize, now: Option<Facts>) -> Option<Noticed> {
        let mut inner = self.lock();
        let noted = inner.facts.get_mut(index)?;
        let then = std::mem::replace(noted, now);
        let change = match (then, now) {
            (None, None) => return None,
            (Some(then), Some(now)) if then.is_as(&now) => return None,
            (Some(then), Some(now))
                if then.is_touched_alone(&now) && !inner.may_be_touched(index) =>
            {
                return None;
            }
            (None, _) => FileChange::Replaced,
            (_, None) => FileChange::Missing,
            (Some(then), Some(now)) if !then.is_same_file(&now) => FileChange::Replaced,
            (Some(then), Some(now)) if then.size != now.size => FileChange::Size,
            _ => FileChange::Written,
        };
        inner.doubt(&self.info, index, change);
        self.noticed.fetch_add(1, Ordering::AcqRel);
        Some(Noticed {
            change,
            is_other: matches!(change, FileChange::Missing | FileChange::Replaced),
        })
    }

    pub(super) fn is_doubted(&self, piece: Piece) -> bool {
        self.lock().doubted.has(piece)
    }

    /// A piece was verified, or written anew, and nothing was noticed since `noticed`.
    pub(super) fn trust(&self, piece: Piece, noticed: u64) {
        let mut inner = self.lock();
        if self.noticed() == noticed {
            inner.doubted.clear(piece);
        }
    }

    /// Whether any piece of a file is doubted.
    pub(super) fn is_file_doubted(&self, index: usize) -> bool {
        let inner = self.lock();
        self.info.files.get(index).is_some_and(|file| {
            self.info
                .lengths
                .pieces_of(file.offset, file.size)
                .any(|piece| inner.doubted.has(piece))
        })
    }

    /// What was noticed since the last call: files by their place in the torrent.
    pub(super) fn take_changes(&self) -> Vec<(u32, FileChange)> {
        std::mem::take(&mut self.lock().changes)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn may_be_touched(&mut self, index: usize) -> bool {
        let touches = self.touches.entry(index).or_default();
        *touches = touches.saturating_add(1);
        *touches <= MOST_TOUCHES
    }

    fn doubt(&mut self, info: &Info, index: usize, change: FileChange) {
        let Some(file) = info.files.get(index) else {
            return;
        };
        for piece in info.lengths.pieces_of(file.offset, file.size) {
            self.doubted.set(piece);
        }
        let Ok(index) = u32::try_from(index) else {
            return;
        };
        // One word a file is enough until somebody heard it.
        self.changes.retain(|(other, _)| *other != index);
        self.changes.push((index, change));
    }
}
