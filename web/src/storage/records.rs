//! Resume records in the tab's storage, two generations per torrent. A reloaded tab knows its
//! torrents only from them.

use std::cell::Cell;
use std::rc::Rc;

use aqueduct_core::resume::{self, Record};

use super::error::FsError;
use super::layout::RECORDS;
use super::opfs::Folder;

/// The generation of a torrent's newest durable record; 0: there is none.
///
/// The torrent shares it with the storage's queue. A record gets its number when it is written, so
/// that a generation that could not be stored does not count, and the next one is written to the
/// same slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable(Rc<Cell<u64>>);

impl Durable {
    /// For a torrent whose record of this generation was read.
    pub(crate) fn from_generation(generation: u64) -> Self {
        Self(Rc::new(Cell::new(generation)))
    }
}

/// Stores a record durably in the slot other than that of the newest one, which stays unchanged.
pub(super) async fn write(
    torrents: &Folder,
    folder: &str,
    record: &Record,
    durable: &Durable,
) -> Result<(), FsError> {
    let generation = durable.0.get() + 1;
    let name = RECORDS[resume::slot(generation)];
    torrents
        .folder(folder)
        .await?
        .open(name, true)
        .await?
        .replace(&record.encode(generation))?;
    durable.0.set(generation);
    Ok(())
}

/// The content of a folder's two slots.
pub(super) enum Found {
    /// The newest valid record, with its generation.
    Newest(u64, Box<Record>),
    /// Data, but no valid record.
    Damaged,
    /// No record was ever written.
    Nothing,
}

/// Reads both slots of a folder.
pub(super) async fn read(folder: &Folder) -> Result<Found, FsError> {
    let [a, b] = RECORDS;
    let (a, b) = (
        folder.read_if_there(a).await?,
        folder.read_if_there(b).await?,
    );
    Ok(match resume::newest(&a, &b) {
        Some((generation, record)) => Found::Newest(generation, Box::new(record)),
        None if a.is_empty() && b.is_empty() => Found::Nothing,
        None => Found::Damaged,
    })
}
