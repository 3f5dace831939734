//! Making torrents of the user's own files.
//!
//! They are read once, piece by piece. Each piece is hashed and copied into the storage, so that
//! the torrent is like any other afterwards: it is there again after a reload, when the browser no
//! longer lets the page read the user's files.

use std::cell::RefCell;
use std::rc::Weak;

use aqueduct_core::io::{OpError, Rope};
use aqueduct_core::meta::{Content, CreateError, Details, Draft, Metainfo, NewFile};
use aqueduct_core::types::{Bitfield, Piece, Sha1Digest, TorrentId, visible};
use aqueduct_core::{Command, Resumed};
use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, Response};

use crate::browser::callback::told;
use crate::browser::clock::{now, scope};
use crate::browser::discard::Scrap;
use crate::engine::commands::refused;
use crate::engine::driver::{Driver, enter, random};
use crate::engine::errors::reason;
use crate::engine::torrent::Item;
use crate::engine::updates::complain;
use crate::message::{Given, Outcome};
use crate::storage::digest::Digester;
use crate::storage::layout;
use crate::storage::space::Need;
use crate::storage::store::{Place, Store};

/// A torrent that is being made.
pub(crate) struct Making {
    /// What it will be called.
    pub(crate) name: String,
    /// Bytes of all its files.
    pub(crate) total: u64,
    /// Of these, read, hashed and stored.
    pub(crate) done: u64,
    /// When the user added it, milliseconds since 1970.
    pub(crate) added: u64,
}

/// Why no torrent was made.
enum Stopped {
    /// The user does not want it any more.
    Cancelled,
    /// One sentence for the user.
    Failed(String),
}

impl From<OpError> for Stopped {
    fn from(error: OpError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Driver {
    /// Begins to make a torrent called `name` of these files, whose contents are `parts`, in the
    /// same order.
    pub(crate) fn give(
        &mut self,
        name: String,
        files: &[Given],
        parts: &JsValue,
    ) -> Result<Outcome, String> {
        let unreadable = |error: JsValue| {
            format!(
                "The files cannot be read: {}. Choose them again.",
                reason(&error)
            )
        };
        let not_made =
            |error: CreateError| format!("{} cannot be shared: {error}.", visible(&name));
        let draft = Draft::new(&name, content(files), None).map_err(not_made)?;
        // A torrent of zeros has every check but the digests behind it, and the layout that says
        // where to store what.
        let blank = vec![Sha1Digest::default(); draft.lengths().pieces() as usize];
        let blank = draft.finish(&blank, Details::default()).map_err(not_made)?;
        let data = Blob::new_with_blob_sequence(parts).map_err(unreadable)?;
        let scrap = Scrap::new().map_err(unreadable)?;
        let (torrent, total) = (self.new_id(), draft.lengths().total());
        let place = Place {
            torrent,
            folder: layout::own_folder(random()),
            info: blank.info,
        };
        let added = self.time_of_adding();
        self.makings.insert(
            torrent,
            Making {
                name: name.clone(),
                total,
                done: 0,
                added,
            },
        );
        let (driver, store, digester) = (self.me(), self.store.clone(), self.digester.clone());
        let maker = Maker {
            driver,
            store,
            digester,
            scrap,
            name,
            added,
            draft,
            place,
            data,
        };
        spawn_local(maker.work());
        Ok(Outcome::Added)
    }

    /// Stops making a torrent. Returns whether it was being made.
    pub(crate) fn cancel_making(&mut self, torrent: TorrentId) -> bool {
        self.makings.remove(&torrent).is_some()
    }

    /// So many bytes of a torrent in the making are stored. Returns whether the user still wants
    /// it.
    fn made_so_far(&mut self, torrent: TorrentId, done: u64) -> bool {
        let making = self.makings.get_mut(&torrent);
        making.map(|making| making.done = done).is_some()
    }

    fn made(&mut self, place: &Place, outcome: Result<Item, Stopped>) {
        let making = self.makings.remove(&place.torrent);
        let added = match outcome {
            Ok(item) if making.is_some() => self.add_made(item),
            Ok(_) | Err(Stopped::Cancelled) => Err(String::new()),
            Err(Stopped::Failed(why)) => Err(format!(
                "{} could not be shared. {why}",
                visible(&making.map(|m| m.name).unwrap_or_default())
            )),
        };
        if let Err(why) = added {
            // Told only if there is something to tell; what cannot be deleted now is when the
            // worker starts again, as it is marked.
            if !why.is_empty() {
                complain(&why);
            }
            self.store.delete(place.torrent, place.folder.clone(), drop);
        }
        self.teller.soon(now());
    }

    /// Everything is stored, hashed and flushed, and has a record: from here on it is a torrent
    /// that is complete.
    fn add_made(&mut self, item: Item) -> Result<(), String> {
        let (torrent, Some(info)) = (item.id, item.info.clone()) else {
            return Err(String::new());
        };
        if let Some(there) = self.is_there(info.info_hash) {
            let name = if let Ok(Outcome::Known(name)) = there {
                name
            } else {
                item.name()
            };
            return Err(format!("{name} is in the list already."));
        }
        let have = Bitfield::all(info.lengths.pieces());
        let resumed = Resumed::Record {
            have,
            check: Vec::new(),
            sample: Vec::new(),
            uploaded: 0,
            downloaded: 0,
        };
        self.engine
            .command(
                now(),
                Command::Add {
                    torrent,
                    info,
                    resumed,
                    wanted: None,
                    paused: false,
                },
            )
            .map_err(refused)?;
        // The record counts from now on; a mark that stays beside it says nothing.
        self.store.mark_making(item.folder.clone(), None, drop);
        self.items.insert(torrent, item);
        Ok(())
    }
}

fn content(files: &[Given]) -> Content {
    match files {
        [only] if only.path.is_empty() => Content::File(only.size),
        files => Content::Folder(
            files
                .iter()
                .map(|file| NewFile {
                    path: file.path.clone(),
                    size: file.size,
                })
                .collect(),
        ),
    }
}

/// What makes one torrent.
struct Maker {
    driver: Weak<RefCell<Driver>>,
    store: Store,
    digester: Digester,
    scrap: Scrap,
    name: String,
    added: u64,
    draft: Draft,
    place: Place,
    data: Blob,
}

impl Maker {
    async fn work(self) {
        let outcome = self.make().await;
        enter(&self.driver, |driver| driver.made(&self.place, outcome));
    }

    async fn make(&self) -> Result<Item, Stopped> {
        answered(|done| {
            self.store
                .mark_making(self.place.folder.clone(), Some(self.name.clone()), done)
        })
        .await?;
        let mut digests = Vec::new();
        for piece in self.draft.lengths().iter() {
            digests.push(self.take(piece).await?);
        }
        answered(|done| self.store.flush(self.place.torrent, done)).await?;
        let trackers = tracker().await.into_iter().collect();
        let created_by = Some(concat!("Aqueduct/", env!("CARGO_PKG_VERSION")).to_owned());
        let details = Details {
            trackers,
            created_by,
            ..Details::default()
        };
        let item = self
            .draft
            .finish(&digests, details)
            .map(|metainfo| self.item(metainfo))
            .map_err(|error| Stopped::Failed(format!("It cannot be shared: {error}.")))?;
        answered(|done| {
            self.store
                .save(item.folder.clone(), item.record(), item.durable(), done)
        })
        .await?;
        Ok(item)
    }

    fn item(&self, metainfo: Metainfo) -> Item {
        let have = Bitfield::all(metainfo.info.lengths.pieces());
        let mut item = Item::from_metainfo(self.place.torrent, metainfo);
        item.folder.clone_from(&self.place.folder);
        item.added = self.added;
        item.note(have, 0, 0);
        item
    }

    /// Reads, hashes and stores one piece.
    async fn take(&self, piece: Piece) -> Result<Sha1Digest, Stopped> {
        let lengths = self.draft.lengths();
        let (offset, size) = (lengths.offset(piece), lengths.size(piece));
        let data = Rope(vec![self.read(offset, size).await?]);
        let digest = answered(|done| self.digester.digest(data.clone(), done)).await?;
        let need = (offset == 0).then(|| self.need());
        answered(|done| {
            self.store
                .write(self.place.clone(), need, offset, data, done)
        })
        .await?;
        let mut wanted = false;
        enter(&self.driver, |driver| {
            wanted = driver.made_so_far(self.place.torrent, offset + u64::from(size))
        });
        if wanted {
            Ok(digest)
        } else {
            Err(Stopped::Cancelled)
        }
    }

    async fn read(&self, offset: u64, size: u32) -> Result<Bytes, Stopped> {
        let changed = |_| {
            Stopped::Failed("A file was changed, moved or deleted while it was read. Try again when it stays as it is.".to_owned())
        };
        let part = self
            .data
            .slice_with_f64_and_f64(offset as f64, offset as f64 + f64::from(size))
            .map_err(changed)?;
        let buffer: ArrayBuffer = JsFuture::from(part.array_buffer())
            .await
            .and_then(JsCast::dyn_into)
            .map_err(changed)?;
        let bytes = Uint8Array::new(&buffer).to_vec();
        self.scrap.free(&buffer);
        if bytes.len() == size as usize {
            Ok(bytes.into())
        } else {
            Err(changed(JsValue::NULL))
        }
    }

    fn need(&self) -> Need {
        let mut others = 0;
        enter(&self.driver, |driver| {
            others = driver.outstanding_beside(self.place.torrent, u64::MAX)
        });
        Need {
            own: self.draft.lengths().total(),
            others,
        }
    }
}

async fn answered<T: 'static>(
    begin: impl FnOnce(Box<dyn FnOnce(Result<T, OpError>)>),
) -> Result<T, Stopped> {
    told(begin)
        .await
        .unwrap_or(Err(OpError::Cancelled))
        .map_err(Stopped::from)
}

/// The bridge's own tracker, if it has one: there, other people's clients find this tab.
async fn tracker() -> Option<String> {
    let url = format!("{}/announce", scope().location().origin());
    let answer: Response = JsFuture::from(scope().fetch_with_str(&url))
        .await
        .ok()?
        .dyn_into()
        .ok()?;
    answer.ok().then_some(url)
}
