//! The signals of one torrent.

use leptos::prelude::*;
use web_sys::FileSystemDirectoryHandle;

use crate::message::{Details, FileRow, PeerRow, PieceMap, Torrent, TrackerRow};
use crate::page::saving::Saving;

/// The signals of one torrent. They live as long as the page; those of a removed torrent are not
/// reused. Tasks and dialogs hold copies, which outlive the worker that numbered the torrent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in messages between page and worker.
    pub(crate) id: u32,
    /// Its state.
    pub(crate) torrent: RwSignal<Torrent>,
    /// Its files, once they are shown.
    pub(crate) files: RwSignal<Vec<FileRow>>,
    /// Verified bytes of each of them.
    pub(crate) files_done: RwSignal<Vec<u64>>,
    /// What the saving of all its files does.
    pub(crate) saving: RwSignal<Saving>,
    /// The folder for that, if the user has chosen one instead of an archive.
    pub(crate) save_into: RwSignal<Option<FileSystemDirectoryHandle>, LocalStorage>,
    /// Its connected peers, while they are shown.
    pub(crate) peers: RwSignal<Vec<PeerRow>>,
    /// Its complete pieces, while they are shown.
    pub(crate) pieces: RwSignal<PieceMap>,
    /// Its tiers of trackers, while they are shown.
    pub(crate) trackers: RwSignal<Vec<Vec<TrackerRow>>>,
    /// Its details, while they are shown.
    pub(crate) details: RwSignal<Details>,
}

impl Entry {
    /// A torrent of which nothing but its state is known.
    pub(crate) fn new(torrent: Torrent) -> Self {
        Self {
            id: torrent.id,
            torrent: RwSignal::new(torrent),
            files: RwSignal::default(),
            files_done: RwSignal::default(),
            saving: RwSignal::default(),
            save_into: RwSignal::new_local(None),
            peers: RwSignal::default(),
            pieces: RwSignal::default(),
            trackers: RwSignal::default(),
            details: RwSignal::default(),
        }
    }

    /// The same torrent, which the next worker numbers anew. What shows it, plays it or saves it goes
    /// on.
    pub(super) fn renumbered(self, torrent: Torrent) -> Self {
        let id = torrent.id;
        self.torrent.set(torrent);
        if self.saving.get_untracked() == Saving::Listing {
            // The former worker was asked.
            self.saving.set(Saving::Requested);
        }
        Self { id, ..self }
    }

    /// Whether it is the torrent of this folder.
    pub(super) fn has_folder(&self, folder: &str) -> bool {
        !folder.is_empty() && self.torrent.with_untracked(|t| t.folder == folder)
    }
}
