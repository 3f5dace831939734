//! Whether files are as this program left them.
//!
//! After every action of this program on a file its [`Fingerprint`] is noted: which file it is, its
//! length and its times. Before and after it is read or written the next time, the two are
//! compared. Another fingerprint means that another program removed, replaced or wrote to the file:
//! its pieces are *doubted*, which means that no peer gets them and no record states them until
//! each was read and hashed again.
//!
//! One gap remains: a write of another program that falls between a write of this one and the look
//! at the file afterwards, some hundred microseconds, passes for our own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aqueduct_core::FileChange;
use aqueduct_core::meta::Info;
use aqueduct_core::types::{Bitfield, Piece};

use super::changes::Changes;
use super::disk::Stat;

/// An action on a file and the look at it afterwards must not mix with another thread's. Files share
/// this many locks.
const LOCKS: usize = 16;
/// How often in one run a file is doubted whose time of change alone moved: a new link or owner, or
/// a file system that moves it for no reason.
const MAX_TOUCHES: u8 = 8;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: u64,
    changed: u64,
}

impl Fingerprint {
    /// `None`: the file was removed.
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

    /// The inode does not count: FAT and its relatives give a file another one whenever it is looked
    /// up after a while.
    fn matches(&self, other: &Self) -> bool {
        Self {
            inode: other.inode,
            ..*self
        } == *other
    }

    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    fn differs_in_time_of_change_alone(&self, other: &Self) -> bool {
        Self {
            changed: other.changed,
            ..*self
        } == *other
    }
}

/// What became of a file that was noticed to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noticed {
    /// Whether another file lies under its name now, or none.
    pub(super) is_other: bool,
}

/// The files of one torrent.
#[derive(Debug)]
pub(super) struct Watch {
    info: Arc<Info>,
    locks: [Mutex<()>; LOCKS],
    /// Changes noticed so far.
    noticed: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// One per file; `None`: it is missing.
    fingerprints: Vec<Option<Fingerprint>>,
    doubted: Bitfield,
    /// What is not reported yet.
    changes: Changes,
    /// How often each file's time of change alone moved.
    touches: BTreeMap<usize, u8>,
}

impl Watch {
    pub(super) fn new(info: Arc<Info>, fingerprints: Vec<Option<Fingerprint>>) -> Self {
        let doubted = Bitfield::none(info.lengths.pieces());
        let inner = Inner {
            fingerprints,
            doubted,
            changes: Changes::default(),
            touches: BTreeMap::new(),
        };
        Self {
            info,
            locks: Default::default(),
            noticed: AtomicU64::new(0),
            inner: Mutex::new(inner),
        }
    }

    /// Held while a file is acted on and its fingerprint is noted, or while it is compared.
    pub(super) fn lock_file(&self, index: usize) -> Option<MutexGuard<'_, ()>> {
        self.locks
            .get(index % LOCKS)
            .map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes noticed so far. What was read meanwhile is valid if this is the same afterwards.
    pub(super) fn noticed(&self) -> u64 {
        self.noticed.load(Ordering::Acquire)
    }

    pub(super) fn fingerprint(&self, index: usize) -> Option<Fingerprint> {
        self.lock().fingerprints.get(index).copied().flatten()
    }

    pub(super) fn is_as_noted(&self, index: usize, now: &Stat) -> bool {
        matches!((self.fingerprint(index), Fingerprint::of(now)), (Some(then), Some(now)) if then.matches(&now))
    }

    /// Notes how this program left a file.
    pub(super) fn note(&self, index: usize, fingerprint: Option<Fingerprint>) {
        if let Some(noted) = self.lock().fingerprints.get_mut(index) {
            *noted = fingerprint;
        }
    }

    /// Compares a file with how it was left, and notes how it is now. Returns what happened to it, if
    /// anything did.
    pub(super) fn compare(&self, index: usize, now: Option<Fingerprint>) -> Option<Noticed> {
        let mut inner = self.lock();
        let noted = inner.fingerprints.get_mut(index)?;
        let then = std::mem::replace(noted, now);
        let change = match (then, now) {
            (None, None) => return None,
            (Some(then), Some(now)) if then.matches(&now) => return None,
            (Some(then), Some(now))
                if then.differs_in_time_of_change_alone(&now)
                    && !inner.counts_as_touched(index) =>
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
            is_other: matches!(change, FileChange::Missing | FileChange::Replaced),
        })
    }

    pub(super) fn is_doubted(&self, piece: Piece) -> bool {
        self.lock().doubted.has(piece)
    }

    /// A piece was verified, or written anew; it is trusted if nothing was noticed since `noticed`.
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

    /// What is to be reported now: files by their place in the torrent. A file that changes again
    /// and again is reported at growing intervals.
    pub(super) fn take_changes(&self) -> Vec<(u32, FileChange)> {
        self.lock().changes.take_due(Instant::now())
    }

    /// Has the next [`Watch::take_changes`] report everything that was noticed.
    pub(super) fn report_all(&self) {
        self.lock().changes.make_all_due();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn counts_as_touched(&mut self, index: usize) -> bool {
        let touches = self.touches.entry(index).or_default();
        *touches = touches.saturating_add(1);
        *touches <= MAX_TOUCHES
    }

    fn doubt(&mut self, info: &Info, index: usize, change: FileChange) {
        let Some(file) = info.files.get(index) else {
            return;
        };
        for piece in info.lengths.pieces_of(file.offset, file.size) {
            self.doubted.set(piece);
        }
        if let Ok(index) = u32::try_from(index) {
            self.changes.noticed(Instant::now(), index, change);
        }
    }
}
