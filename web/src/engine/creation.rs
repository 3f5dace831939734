//! Creating torrents of the user's own files.
//!
//! The files are read once, a few pieces at a time. Each piece is hashed and copied into storage. The
//! torrent is then like any other, and is restored after a reload, when the browser no longer lets
//! the page read the user's files.

use std::cell::Cell;
use std::rc::Rc;

use aqueduct_core::OpError;
use aqueduct_core::meta::{Details, Draft, Metainfo};
use aqueduct_core::types::{Bitfield, Piece, Sha1Digest, SortedMap, TorrentId};
use futures_util::{StreamExt, TryStreamExt, stream};
use js_sys::ArrayBuffer;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, Response};

use super::torrents::{Amounts, Torrent};
use crate::browser::callback::wait_for;
use crate::browser::clock::unix_millis;
use crate::browser::error::reason;
use crate::browser::global::{random, scope};
use crate::draft::{draft, not_creatable, not_possible};
use crate::message::{SharedFile, Sharing};
use crate::storage::client::{Place, Storage};
use crate::storage::layout;
use crate::storage::space::Need;
use crate::texts::creating as texts;

/// The maximum number of bytes that are read and not stored, apart from two pieces of any length. Of
/// the smallest pieces there are fewer.
const MAX_HELD: u64 = 8 << 20;

/// Called once for each creation that was started and not cancelled, with the torrent, or with the
/// error as a sentence.
pub(super) type OnFinished = Rc<dyn Fn(TorrentId, Result<Torrent, String>)>;

/// Torrents that are being created.
pub(super) struct Creations {
    running: SortedMap<TorrentId, Rc<Creation>>,
    storage: Storage,
    /// The URL of the bridge's own tracker, through which other clients find this tab.
    tracker: String,
    on_finished: OnFinished,
}

/// The state of a torrent that is being created.
pub(super) struct Creation {
    /// Its number, and that of the torrent later.
    pub(super) id: TorrentId,
    /// Its name, as the user gave it.
    pub(super) name: String,
    /// When the user added it, milliseconds since 1970.
    pub(super) added: u64,
    /// The size of all its files in bytes.
    pub(super) total: u64,
    done: Cell<u64>,
    cancelled: Cell<bool>,
}

impl Creation {
    /// The number of bytes that were read, hashed and stored.
    pub(super) fn done(&self) -> u64 {
        self.done.get()
    }
}

/// Why a torrent was not created.
enum Stopped {
    Cancelled,
    /// One sentence for the user.
    Failed(String),
}

impl From<OpError> for Stopped {
    fn from(error: OpError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Creations {
    pub(super) fn new(storage: Storage, tracker: String, on_finished: OnFinished) -> Self {
        Self {
            running: SortedMap::new(),
            storage,
            tracker,
            on_finished,
        }
    }

    /// Starts to create a torrent with this name and these files, whose contents are the second part,
    /// in the same order. The last two are the turn for its check of the space, and the number of bytes
    /// that other torrents still have to store.
    ///
    /// # Errors
    /// One sentence for the user, if such a torrent cannot be created.
    pub(super) fn start(
        &mut self,
        (id, added): (TorrentId, u64),
        name: &str,
        (files, parts): (&[SharedFile], &JsValue),
        sharing: Sharing,
        (check, others): (u64, u64),
    ) -> Result<(), String> {
        let unreadable = |error: JsValue| texts::unreadable(reason(&error));
        let draft = draft(name, files)?;
        // A torrent whose digests are zeros passes every check but that of the pieces, and provides
        // the layout of the storage.
        let blank = vec![Sha1Digest::default(); draft.lengths().pieces() as usize];
        let blank = draft.finish(&blank, Details::default());
        let blank = blank.map_err(|error| not_possible(name, &error))?;
        let data = Blob::new_with_blob_sequence(parts).map_err(unreadable)?;
        let creation = Rc::new(Creation {
            id,
            name: name.to_owned(),
            added,
            total: draft.lengths().total(),
            done: Cell::new(0),
            cancelled: Cell::new(false),
        });
        let need = Need {
            check,
            own: creation.total,
            others,
        };
        let place = Place {
            torrent: id,
            folder: layout::created_folder(random()),
            info: blank.info,
        };
        let task = Task {
            creation: Rc::clone(&creation),
            storage: self.storage.clone(),
            draft,
            place,
            data,
            need,
            tracker: self.tracker.clone(),
            sharing,
        };
        self.running.insert(id, creation);
        spawn_local(task.run(Rc::clone(&self.on_finished)));
        Ok(())
    }

    /// Cancels a creation. Returns whether there was one.
    pub(super) fn cancel(&mut self, id: TorrentId) -> bool {
        let creation = self.running.remove(&id);
        creation
            .map(|creation| creation.cancelled.set(true))
            .is_some()
    }

    /// Cancels all of them, and returns their names.
    pub(super) fn cancel_all(&mut self) -> Vec<String> {
        std::mem::take(&mut self.running)
            .into_values()
            .map(|creation| {
                creation.cancelled.set(true);
                creation.name.clone()
            })
            .collect()
    }

    /// Removes a completed creation. Returns its name; `None` if it was cancelled.
    pub(super) fn remove(&mut self, id: TorrentId) -> Option<String> {
        Some(self.running.remove(&id)?.name.clone())
    }

    /// All creations.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Creation> {
        self.running.values().map(Rc::as_ref)
    }

    /// The number of bytes that they still have to store.
    pub(super) fn outstanding(&self) -> u64 {
        self.iter()
            .map(|creation| creation.total.saturating_sub(creation.done()))
            .fold(0, u64::saturating_add)
    }
}

/// The number of pieces of this length that are read, hashed and stored at the same time: the browser
/// reads some while the storage worker has others, of which it digests several together.
fn concurrent(piece_length: u32) -> usize {
    let count = MAX_HELD / u64::from(piece_length.max(1));
    usize::try_from(count).unwrap_or(usize::MAX).clamp(2, 32)
}

/// The task that creates one torrent.
struct Task {
    creation: Rc<Creation>,
    storage: Storage,
    draft: Draft,
    place: Place,
    data: Blob,
    need: Need,
    tracker: String,
    sharing: Sharing,
}

impl Task {
    async fn run(self, on_finished: OnFinished) {
        let created = match self.create().await {
            Ok(torrent) if !self.creation.cancelled.get() => Ok(torrent),
            Ok(_) | Err(Stopped::Cancelled) => return self.delete(),
            Err(Stopped::Failed(why)) => {
                self.delete();
                Err(why)
            }
        };
        on_finished(self.creation.id, created);
    }

    /// Deletes the stored data. What cannot be deleted now is deleted at the next start, since the
    /// folder is marked.
    fn delete(&self) {
        self.storage
            .delete(self.place.torrent, self.place.folder.clone(), drop);
    }

    async fn create(&self) -> Result<Torrent, Stopped> {
        done(|done| {
            let name = Some(self.creation.name.clone());
            self.storage
                .mark_creating(self.place.folder.clone(), name, done)
        })
        .await?;
        let lengths = self.draft.lengths();
        let copies = stream::iter(lengths.iter()).map(|piece| self.copy(piece));
        let digests: Vec<_> = copies
            .buffered(concurrent(lengths.piece_length()))
            .try_collect()
            .await?;
        done(|done| self.storage.flush(self.place.torrent, done)).await?;
        let own = self.tracker().await.into_iter();
        let details = Details {
            trackers: own.chain(self.sharing.trackers.clone()).collect(),
            web_seeds: self.sharing.web_seeds.clone(),
            created: i64::try_from(unix_millis() / 1000).ok(),
            created_by: Some(concat!("Aqueduct/", env!("CARGO_PKG_VERSION")).to_owned()),
            ..Details::default()
        };
        let torrent = self
            .draft
            .finish(&digests, details)
            .map(|metainfo| self.torrent(metainfo))
            .map_err(|error| Stopped::Failed(texts::it_is_not_possible(not_creatable(&error))))?;
        done(|done| {
            self.storage
                .save(torrent.folder.clone(), &torrent.record(), done)
        })
        .await?;
        Ok(torrent)
    }

    fn torrent(&self, metainfo: Metainfo) -> Torrent {
        let have = Bitfield::all(metainfo.info.lengths.pieces());
        let mut torrent = Torrent::from_metainfo(self.creation.id, metainfo);
        torrent.folder.clone_from(&self.place.folder);
        torrent.added = self.creation.added;
        torrent.options = self.sharing.options;
        torrent.set_amounts(Amounts {
            have,
            uploaded: 0,
            downloaded: 0,
        });
        torrent
    }

    /// Reads, hashes and stores one piece.
    async fn copy(&self, piece: Piece) -> Result<Sha1Digest, Stopped> {
        let lengths = self.draft.lengths();
        let (offset, size) = (lengths.offset(piece), lengths.size(piece));
        let data = self.read(offset, size).await?;
        let need = (offset == 0).then_some(self.need);
        let digest = done(|done| self.storage.add(&self.place, need, offset, data, done)).await?;
        let done = &self.creation.done;
        done.set(done.get() + u64::from(size));
        if self.creation.cancelled.get() {
            Err(Stopped::Cancelled)
        } else {
            Ok(digest)
        }
    }

    async fn read(&self, offset: u64, size: u32) -> Result<ArrayBuffer, Stopped> {
        let changed = |_| Stopped::Failed(texts::file_was_changed().to_owned());
        let part = self
            .data
            .slice_with_f64_and_f64(offset as f64, offset as f64 + f64::from(size))
            .map_err(changed)?;
        let buffer: ArrayBuffer = JsFuture::from(part.array_buffer())
            .await
            .and_then(JsCast::dyn_into)
            .map_err(changed)?;
        if buffer.byte_length() == size {
            Ok(buffer)
        } else {
            Err(changed(JsValue::NULL))
        }
    }

    /// The bridge's own tracker, if it has one.
    async fn tracker(&self) -> Option<String> {
        let response: Response = JsFuture::from(scope().fetch_with_str(&self.tracker))
            .await
            .ok()?
            .dyn_into()
            .ok()?;
        response.ok().then(|| self.tracker.clone())
    }
}

/// Waits for the callback of a storage request.
async fn done<T: 'static>(
    begin: impl FnOnce(Box<dyn FnOnce(Result<T, OpError>)>),
) -> Result<T, Stopped> {
    wait_for(begin)
        .await
        .unwrap_or(Err(OpError::Cancelled))
        .map_err(Stopped::from)
}
