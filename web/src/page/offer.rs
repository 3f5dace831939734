//! The user's own files that may be shared: chosen files, dropped files and folders.

use aqueduct_core::meta::system_files;
use aqueduct_core::types::{SortedSet, sort};
use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

use crate::browser::error::reason;
use crate::message::SharedFile;
use crate::texts::sharing as texts;

/// Files that the user may share, and the name that they will have.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Name of the one file, or of the folder.
    pub(crate) name: String,
    /// Whether the name is the default one of several files.
    pub(crate) has_default_name: bool,
    /// Paths and sizes.
    pub(crate) files: Vec<SharedFile>,
    /// The files themselves, in the same order. They have not been read.
    pub(crate) contents: Array,
    /// Names of files that are left out because they belong to the operating system; each name
    /// once.
    pub(crate) left_out: Vec<String>,
}

/// A dropped item.
pub(super) enum Dropped {
    File(File),
    Entry(FileSystemEntry),
}

impl Offer {
    /// The total size of all files in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// An offer of files that were selected one by one, or as a folder; `None` if there are none.
    pub(crate) fn from_list(files: &FileList) -> Option<Self> {
        let found = (0..files.length())
            .filter_map(|i| files.get(i))
            .map(|file| (path_of(&file), file));
        Self::from_files(found.collect())
    }

    /// An offer of files and folders that were dropped.
    ///
    /// # Errors
    /// One sentence for the user, if there is nothing to share or the browser cannot read it.
    pub(super) async fn from_dropped(dropped: Vec<Dropped>) -> Result<Self, String> {
        let unreadable = |error: JsValue| texts::unreadable(reason(&error));
        let found = walk(dropped).await.map_err(unreadable)?;
        Self::from_files(found).ok_or_else(|| texts::nothing_dropped().to_owned())
    }

    /// A single file is shared as itself, a single folder under its own name, anything else in a
    /// folder with the default name.
    fn from_files(found: Found) -> Option<Self> {
        let (mut found, left_out) = without_system_files(found);
        sort::sort_by(&mut found, |(a, _), (b, _)| a.cmp(b));
        let (first, _) = found.first()?;
        let top = first.first().cloned()?;
        let has_one_top = found.iter().all(|(path, _)| path.first() == Some(&top))
            && (found.len() == 1 || first.len() > 1);
        let name = if has_one_top {
            top
        } else {
            texts::default_name().to_owned()
        };
        let skip = usize::from(has_one_top);
        let files = found.iter().map(|(path, file)| SharedFile {
            path: path.iter().skip(skip).cloned().collect(),
            size: size(file),
        });
        Some(Self {
            name,
            has_default_name: !has_one_top,
            files: files.collect(),
            contents: found.iter().map(|(_, file)| file).collect(),
            left_out,
        })
    }
}

/// The path of a selected file, which begins with the folder if a folder was selected.
fn path_of(file: &File) -> Vec<String> {
    let relative = Reflect::get(file, &"webkitRelativePath".into()).ok();
    let relative = relative
        .and_then(|path| path.as_string())
        .unwrap_or_default();
    if relative.is_empty() {
        vec![file.name()]
    } else {
        relative.split('/').map(str::to_owned).collect()
    }
}

/// Files with their paths.
type Found = Vec<(Vec<String>, File)>;

/// Separates the user's own files from the names of others. A file that was selected alone is
/// shared in any case.
fn without_system_files(found: Found) -> (Found, Vec<String>) {
    if found.len() == 1 {
        return (found, Vec::new());
    }
    let flags = system_files(
        &found
            .iter()
            .map(|(path, _)| path.as_slice())
            .collect::<Vec<_>>(),
    );
    let (system, own): (Vec<_>, Vec<_>) = found
        .into_iter()
        .zip(flags)
        .partition(|(_, is_system)| *is_system);
    let names: SortedSet<String> = system
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

/// The .torrent files of a drop, and its other files and folders. The browser provides them only while
/// the drop is being handled.
pub(super) fn dropped(data: &DataTransfer) -> (Vec<File>, Vec<Dropped>) {
    let items = data.items();
    let all = (0..items.length())
        .filter_map(|i| items.get(i))
        .filter(|item| item.kind() == "file");
    let (mut torrents, mut others) = (Vec::new(), Vec::new());
    for item in all {
        match torrent_file(&item) {
            Some(file) => torrents.push(file),
            None => others.push(item),
        }
    }
    let one = |item: web_sys::DataTransferItem| {
        let entry = item
            .webkit_get_as_entry()
            .ok()
            .flatten()
            .map(Dropped::Entry);
        entry.or_else(|| item.get_as_file().ok().flatten().map(Dropped::File))
    };
    (torrents, others.into_iter().filter_map(one).collect())
}

/// Whether a file is a .torrent, judged by its name.
pub(super) fn is_torrent(name: &str) -> bool {
    name.to_lowercase().ends_with(".torrent")
}

/// The file of an item, if it is a .torrent file, which is added and not shared. A folder may have such
/// a name, too.
fn torrent_file(item: &web_sys::DataTransferItem) -> Option<File> {
    let entry = item.webkit_get_as_entry().ok().flatten();
    if entry.is_some_and(|entry| entry.is_directory()) {
        return None;
    }
    let file = item.get_as_file().ok().flatten();
    file.filter(|file| is_torrent(&file.name()))
}

/// All files, with their paths below the dropped items.
async fn walk(dropped: Vec<Dropped>) -> Result<Found, JsValue> {
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
    let asked = Promise::new(&mut |resolve, reject| {
        entry.file_with_callback_and_callback(&resolve, &reject)
    });
    JsFuture::from(asked).await?.dyn_into()
}

/// The contents of a folder. Browsers return them in parts, the last of which is empty.
async fn entries_of(folder: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = folder.create_reader();
    let mut all = Vec::new();
    loop {
        let ask = |resolve: Function, reject: Function| {
            reader.read_entries_with_callback_and_callback(&resolve, &reject)
        };
        let mut refused = None;
        let asked = Promise::new(&mut |resolve, reject| refused = ask(resolve, reject).err());
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
