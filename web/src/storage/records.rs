//! Resume records in the tab's storage: two generations a torrent, from which alone a reloaded tab
//! knows its torrents again.

use std::cell::Cell;
use std::rc::Rc;

use aqueduct_core::resume::{self, Record};

use crate::storage::layout::RECORDS;
use crate::storage::opfs::{Folder, FsError};

/// The generation of a torrent's newest durable record; 0: there is none. The torrent shares it
/// with the storage's queue, where a record gets its number when its turn comes: a generation that
/// could not be stored does not count, and the next one goes to the same slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable(Rc<Cell<u64>>);

impl Durable {
    /// Of a torrent that was brought back.
    pub(crate) fn from_generation(generation: u64) -> Self {
        Self(Rc::new(Cell::new(generation)))
    }
}

/// Stores a record durably, beside the newest one: until all of it is stored, that one stays as it
/// is.
pub(crate) async fn write(
    root: &Folder,
    folder: &str,
    record: &Record,
    durable: &Durable,
) -> Result<(), FsError> {
    let generation = durable.0.get() + 1;
    let name = RECORDS[resume::slot(generation)];
    root.folder(folder)
        .await?
        .open(name, true)
        .await?
        .replace(&record.encode(generation))?;
    durable.0.set(generation);
    Ok(())
}

/// What a folder's two slots hold.
pub(crate) enum Found {
    /// The newest valid record, with its generation.
    Newest(u64, Box<Record>),
    /// Something, but no valid record.
    Damaged,
    /// No record was ever written.
    Nothing,
}

/// Looks into both slots of a folder.
pub(crate) async fn read(folder: &Folder) -> Result<Found, FsError> {
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
