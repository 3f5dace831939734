//! Site data that the user clears while the page is open: what is written then goes nowhere, and
//! every check would still find it in the files that are open.

use std::time::Duration;

use aqueduct_core::types::{Bitfield, TorrentId};
use aqueduct_core::{Command, Instant, Resumed};

use crate::browser::clock::now;
use crate::engine::commands::refused;
use crate::engine::driver::{Driver, enter};
use crate::engine::removal::tell_failure;
use crate::engine::torrent::Item;
use crate::engine::updates::complain;

/// How often the storage is looked at; besides, whenever something is flushed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When the storage is looked at next.
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now + LOOK_EVERY)
    }

    /// When [`Driver::look_at_storage`] has something to do.
    pub(crate) const fn due(&self) -> Instant {
        self.0
    }

    /// A torrent failed because of its storage: perhaps there is none any more.
    pub(crate) fn look_soon(&mut self, now: Instant) {
        self.0 = self.0.min(now);
    }
}

impl Driver {
    /// Looks whether the storage is still there, and deletes what could not be deleted before.
    pub(crate) fn look_at_storage(&mut self, now: Instant) {
        if self.watch.due() > now {
            return;
        }
        self.watch = Watch::new(now);
        self.store.sweep();
        if self.items.is_empty() && self.makings.is_empty() {
            return;
        }
        let me = self.me();
        self.store.look(move |is_there| {
            if !is_there {
                enter(&me, Self::storage_cleared);
            }
        });
    }

    /// Nothing of any torrent is there any more: each is begun anew, and waits for the user's word.
    fn storage_cleared(&mut self) {
        self.store.renew(tell_failure);
        for (_, making) in std::mem::take(&mut self.makings) {
            complain(&format!(
                "{} was not shared: this site's data were cleared in the browser. Choose the files once more.",
                making.name
            ));
        }
        let torrents: Vec<TorrentId> = self.items.keys().copied().collect();
        torrents
            .into_iter()
            .for_each(|torrent| self.begin_anew(torrent));
        self.teller.soon(now());
    }

    /// The torrent gets a new name, so that answers which are still on their way find nobody.
    fn begin_anew(&mut self, torrent: TorrentId) {
        let before = self.engine.snapshot_of(torrent);
        let Some(mut item) = self.forget(torrent) else {
            return;
        };
        if item.leaves_at.is_some() {
            return;
        }
        item.id = self.new_id();
        let (uploaded, downloaded) = before.map_or((0, 0), |s| (s.uploaded, s.downloaded));
        let (name, command) = (item.name(), start_over(&mut item, uploaded, downloaded));
        match self.engine.command(now(), command) {
            Ok(()) => self.admit(item),
            Err(error) => complain(&format!(
                "{name} could not be begun anew. {}",
                refused(error)
            )),
        }
    }
}

/// What begins a torrent of which nothing is there any more. One without metadata had nothing to
/// lose, and goes on as it was.
fn start_over(item: &mut Item, uploaded: u64, downloaded: u64) -> Command {
    let (torrent, wanted) = (item.id, item.wanted.clone());
    let Some(info) = item.info.clone() else {
        return Command::AddMagnet {
            torrent,
            magnet: item.magnet.clone(),
            paused: item.paused,
        };
    };
    (item.cleared, item.paused) = (true, true);
    let have = Bitfield::none(info.lengths.pieces());
    item.note(have.clone(), uploaded, downloaded);
    let resumed = Resumed::Record {
        have,
        check: Vec::new(),
        sample: Vec::new(),
        uploaded,
        downloaded,
    };
    Command::Add {
        torrent,
        info,
        resumed,
        wanted,
        paused: true,
    }
}
