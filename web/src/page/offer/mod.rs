//! The user's own files on their way to being shared: what was chosen or dropped, folders with all
//! that is in them.

mod junk;

use std::collections::BTreeSet;

use js_sys::{Array, Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

use crate::engine::errors::reason;
use crate::message::Given;
use crate::page::components::is_torrent;
use crate::page::offer::junk::litter;

/// What several files are called together unless the user says otherwise.
const TOGETHER: &str = "Shared files";

/// What the user may share: files, and what they will be called.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name of the one file, or of the folder.
    pub name: String,
    /// Paths and sizes.
    pub files: Vec<Given>,
    /// What is in them, in the same order; nothing is read yet.
    pub contents: Array,
    /// Names of files that are not shared, because the system keeps them for itself; each once.
    pub left_out: Vec<String>,
}

/// Something that was dropped.
pub(crate) enum Dropped {
    File(File),
    Entry(FileSystemEntry),
}

impl Offer {
    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Whether the name is one that the user did not give to anything yet.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.name == TOGETHER
    }

    /// Files that were chosen one by one; `None` if there are none.
    #[must_use]
    pub fn of_list(files: &FileList) -> Option<Self> {
        let found = (0..files.length())
            .filter_map(|i| files.get(i))
            .map(|file| (vec![file.name()], file));
        Self::of(found.collect())
    }

    /// Files and folders that were dropped.
    ///
    /// # Errors
    /// One sentence for the user, when there is nothing to share or the browser cannot read it.
    pub(crate) async fn of_dropped(dropped: Vec<Dropped>) -> Result<Self, String> {
        let unreadable = |error: JsValue| {
            format!(
                "What was dropped cannot be read: {}. Drop it again, or choose files instead.",
                reason(&error)
            )
        };
        let found = walk(dropped).await.map_err(unreadable)?;
        Self::of(found).ok_or_else(|| {
            "There is no file in what was dropped, so there is nothing to share.".to_owned()
        })
    }

    /// One file is shared as itself, one folder under its own name, anything else in a folder that
    /// has no name yet.
    fn of(found: Vec<(Vec<String>, File)>) -> Option<Self> {
        let (mut found, left_out) = tidied(found);
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (first, _) = found.first()?;
        let top = first.first().cloned()?;
        let has_one_top = found.iter().all(|(path, _)| path.first() == Some(&top))
            && (found.len() == 1 || first.len() > 1);
        let name = if has_one_top {
            top
        } else {
            TOGETHER.to_owned()
        };
        let skip = usize::from(has_one_top);
        let files = found.iter().map(|(path, file)| Given {
            path: path.iter().skip(skip).cloned().collect(),
            size: size(file),
        });
        Some(Self {
            name,
            files: files.collect(),
            contents: found.iter().map(|(_, file)| file).collect(),
            left_out,
        })
    }
}

type Found = Vec<(Vec<String>, File)>;

/// Without what the system keeps for itself, and the names of that. A file which was chosen alone
/// is shared whatever it is.
fn tidied(found: Found) -> (Found, Vec<String>) {
    if found.len() == 1 {
        return (found, Vec::new());
    }
    let flags = litter(
        &found
            .iter()
            .map(|(path, _)| path.as_slice())
            .collect::<Vec<_>>(),
    );
    let (litter, own): (Vec<_>, Vec<_>) = found
        .into_iter()
        .zip(flags)
        .partition(|(_, litter)| *litter);
    let names: BTreeSet<String> = litter
        .into_iter()
        .filter_map(|((mut path, _), _)| path.pop())
        .collect();
    (
        own.into_iter().map(|(own, _)| own).collect(),
        names.into_iter().collect(),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a file's size is a whole number below 2^53"
)]
fn size(file: &File) -> u64 {
    file.size() as u64
}

/// What a drop carries. Only while the drop is being handled can it be asked for.
pub(crate) fn dropped(data: &DataTransfer) -> Vec<Dropped> {
    let items = data.items();
    let all = (0..items.length())
        .filter_map(|i| items.get(i))
        .filter(|item| item.kind() == "file");
    let one = |item: web_sys::DataTransferItem| {
        let entry = item
            .webkit_get_as_entry()
            .ok()
            .flatten()
            .map(Dropped::Entry);
        entry.or_else(|| item.get_as_file().ok().flatten().map(Dropped::File))
    };
    all.filter(|item| !is_torrent_file(item))
        .filter_map(one)
        .collect()
}

/// Those are added, not shared.
fn is_torrent_file(item: &web_sys::DataTransferItem) -> bool {
    item.get_as_file()
        .ok()
        .flatten()
        .is_some_and(|file| is_torrent(&file.name()))
}

/// All files, with their paths from what was dropped on.
async fn walk(dropped: Vec<Dropped>) -> Result<Vec<(Vec<String>, File)>, JsValue> {
    let mut found = Vec::new();
    let mut waiting: Vec<(Vec<String>, FileSystemEntry)> = Vec::new();
    for one in dropped {
        match one {
            Dropped::File(file) => found.push((vec![file.name()], file)),
            Dropped::Entry(entry) => waiting.push((vec![entry.name()], entry)),
        }
    }
    while let Some((path, entry)) = waiting.pop() {
        if entry.is_file() {
            found.push((path, file_of(entry.unchecked_ref()).await?));
        } else {
            let inside = entries_of(entry.unchecked_ref()).await?;
            waiting.extend(
                inside
                    .into_iter()
                    .map(|inner| ([&path[..], &[inner.name()]].concat(), inner)),
            );
        }
    }
    Ok(found)
}

async fn file_of(entry: &FileSystemFileEntry) -> Result<File, JsValue> {
    let asked = Promise::new(&mut |tell, fail| entry.file_with_callback_and_callback(&tell, &fail));
    JsFuture::from(asked).await?.dyn_into()
}

/// What is in a folder. Browsers tell it in parts, the last of which is empty.
async fn entries_of(folder: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = folder.create_reader();
    let mut all = Vec::new();
    loop {
        let ask = |tell: Function, fail: Function| {
            reader.read_entries_with_callback_and_callback(&tell, &fail)
        };
        let mut refused = None;
        let asked = Promise::new(&mut |tell, fail| refused = ask(tell, fail).err());
        if let Some(error) = refused {
            return Err(error);
        }
        let part: Array = JsFuture::from(asked).await?.dyn_into()?;
        if part.length() == 0 {
            return Ok(all);
        }
        all.extend(part.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}
