//! All files of a torrent in a folder that the user chooses, where browsers let pages write to one.
//! They are streamed from the browser's storage, one after the other, into a new folder, so that
//! nothing of the user's is overwritten. The browser writes each file beside its place, and puts it
//! there when it is whole.

use aqueduct_core::types::visible;
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, DomException, FileSystemDirectoryHandle, FileSystemFileHandle,
    FileSystemGetDirectoryOptions, FileSystemGetFileOptions, FileSystemWritableFileStream,
};

use super::names::{Names, candidates};
use super::stored::Folder;
use super::{present, unreadable};
use crate::browser::error::reason;
use crate::message::FileRow;
use crate::texts::saving as texts;

/// The number of bytes that are written at a time: then the progress is shown, and "Cancel" noticed.
const CHUNK: u64 = 4 << 20;
/// The names that are tried for the new folder.
const MAX_NAMES: usize = 100;
/// The function with which browsers let users choose a folder.
const PICKER: &str = "showDirectoryPicker";

/// What became of saving into a folder.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::page) enum Copied {
    /// All files are in the new folder of this name; so many have other names than in the torrent.
    Saved { into: String, renamed: usize },
    /// The user cancelled it. So many files are in the new folder of this name, which is gone if
    /// none is.
    Cancelled { into: String, files: usize },
}

/// Whether the browser lets users choose a folder to which the page may write.
pub(in crate::page) fn can_choose_folder() -> bool {
    picker().is_some()
}

fn picker() -> Option<Function> {
    let window = web_sys::window()?;
    Reflect::get(&window, &PICKER.into()).ok()?.dyn_into().ok()
}

/// Lets the user choose a folder. Browsers permit this only in an event that the user has caused.
/// `None` if the user chose none.
///
/// # Errors
/// One sentence for the user, if the browser refuses.
pub(in crate::page) async fn choose_folder() -> Result<Option<FileSystemDirectoryHandle>, String> {
    match choose().await {
        Ok(chosen) => Ok(Some(chosen)),
        Err(error) if is_named(&error, "AbortError") => Ok(None),
        Err(error) => Err(texts::folder_refused(reason(&error))),
    }
}

async fn choose() -> Result<FileSystemDirectoryHandle, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"mode".into(), &"readwrite".into())?;
    let picker = picker().ok_or(JsValue::NULL)?;
    let promise: Promise = picker.call1(&JsValue::UNDEFINED, &options)?.dyn_into()?;
    JsFuture::from(promise).await?.dyn_into()
}

/// Saves files of a torrent in a new folder called `name`, or `name (2)` and so on, inside the
/// chosen one. Calls `proceed` with the number of bytes written so far, and stops when it returns
/// `false`. The file that is being written then is removed, as after an error.
///
/// # Errors
/// One sentence for the user: data are missing or incomplete, or the browser refuses.
pub(in crate::page) async fn save_into(
    chosen: &FileSystemDirectoryHandle,
    name: &str,
    folder: &str,
    rows: &[FileRow],
    proceed: impl Fn(u64) -> bool,
) -> Result<Copied, String> {
    let refused = |error: JsValue| texts::not_saved(name, reason(&error));
    let stored = Folder::open(folder).await.map_err(refused)?;
    let (into, target) = new_folder(chosen, name).await.map_err(refused)?;
    let (mut names, mut written, mut renamed) = (Names::new(), 0, 0);
    for (files, row) in rows.iter().enumerate() {
        let path = names.place(&row.path);
        renamed += usize::from(path.join("/") != row.path);
        let copied = match present(row, stored.reference(row).await) {
            Ok(data) => copy(&target, &path, &data, |part| proceed(written + part))
                .await
                .map_err(|error| not_written(row, &error)),
            Err(why) => Err(why),
        };
        if !matches!(copied, Ok(true)) && files == 0 {
            remove_empty(chosen, &into, &path).await;
        }
        match copied {
            Ok(true) => written += row.size,
            Ok(false) => return Ok(Copied::Cancelled { into, files }),
            Err(why) if files == 0 => return Err(why),
            Err(why) => return Err(texts::those_before_are_in(why, into)),
        }
    }
    Ok(Copied::Saved { into, renamed })
}

/// Which file could not be written, as a sentence for the user.
fn not_written(row: &FileRow, error: &JsValue) -> String {
    if is_named(error, "NotReadableError") {
        return unreadable(row, error);
    }
    texts::not_written(visible(&row.name), reason(error))
}

/// Removes the new folder `into`, and the folders that the first file at `path` needed in it, from the
/// innermost on. One that is not empty stays: somebody else has put something there.
async fn remove_empty(chosen: &FileSystemDirectoryHandle, into: &str, path: &[String]) {
    let folders = path.split_last().map_or(&[][..], |(_, folders)| folders);
    let mut chain = vec![(chosen.clone(), into)];
    for name in folders {
        let Some((parent, inside)) = chain.last() else {
            return;
        };
        let Ok(folder) = existing(parent, inside).await else {
            break;
        };
        chain.push((folder, name.as_str()));
    }
    for (parent, name) in chain.iter().rev() {
        if JsFuture::from(parent.remove_entry(name)).await.is_err() {
            return;
        }
    }
}

async fn existing(
    folder: &FileSystemDirectoryHandle,
    name: &str,
) -> Result<FileSystemDirectoryHandle, JsValue> {
    JsFuture::from(folder.get_directory_handle(name))
        .await?
        .dyn_into()
}

/// Creates a folder in the chosen one, under the first name that nothing has there.
async fn new_folder(
    chosen: &FileSystemDirectoryHandle,
    name: &str,
) -> Result<(String, FileSystemDirectoryHandle), JsValue> {
    for name in candidates(name).take(MAX_NAMES) {
        if !exists(chosen, &name).await? {
            let folder = subfolder(chosen, &name).await?;
            return Ok((name, folder));
        }
    }
    Err(js_sys::Error::new(texts::too_many_folders()).into())
}

/// Whether a folder contains a file or a folder of this name.
async fn exists(folder: &FileSystemDirectoryHandle, name: &str) -> Result<bool, JsValue> {
    match JsFuture::from(folder.get_file_handle(name)).await {
        Ok(_) => Ok(true),
        Err(error) if is_named(&error, "TypeMismatchError") => Ok(true),
        Err(error) if is_named(&error, "NotFoundError") => Ok(false),
        Err(error) => Err(error),
    }
}

async fn subfolder(
    folder: &FileSystemDirectoryHandle,
    name: &str,
) -> Result<FileSystemDirectoryHandle, JsValue> {
    let create = FileSystemGetDirectoryOptions::new();
    create.set_create(true);
    let opened = folder.get_directory_handle_with_options(name, &create);
    JsFuture::from(opened).await?.dyn_into()
}

/// Writes data to a new file at this path. `false` if `proceed` returned that. Unless all of it was
/// written, no file is left.
async fn copy(
    top: &FileSystemDirectoryHandle,
    path: &[String],
    data: &Blob,
    proceed: impl Fn(u64) -> bool,
) -> Result<bool, JsValue> {
    let Some((name, folders)) = path.split_last() else {
        return Ok(true);
    };
    let mut folder = top.clone();
    for name in folders {
        folder = subfolder(&folder, name).await?;
    }
    if exists(&folder, name).await? {
        return Err(js_sys::Error::new(texts::name_is_taken()).into());
    }
    let create = FileSystemGetFileOptions::new();
    create.set_create(true);
    let file = JsFuture::from(folder.get_file_handle_with_options(name, &create));
    let file: FileSystemFileHandle = file.await?.dyn_into()?;
    let copied = write(&file, data, proceed).await;
    if !matches!(copied, Ok(true)) {
        JsFuture::from(folder.remove_entry(name)).await?;
    }
    copied
}

async fn write(
    file: &FileSystemFileHandle,
    data: &Blob,
    proceed: impl Fn(u64) -> bool,
) -> Result<bool, JsValue> {
    let stream: FileSystemWritableFileStream =
        JsFuture::from(file.create_writable()).await?.dyn_into()?;
    let copied = write_parts(&stream, data, proceed).await;
    let end = if matches!(copied, Ok(true)) {
        stream.close()
    } else {
        stream.abort()
    };
    JsFuture::from(end).await?;
    copied
}

async fn write_parts(
    stream: &FileSystemWritableFileStream,
    data: &Blob,
    proceed: impl Fn(u64) -> bool,
) -> Result<bool, JsValue> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size is a whole number, and exact below 8 PiB"
    )]
    let (mut at, size) = (0, data.size() as u64);
    while at < size {
        let end = size.min(at + CHUNK);
        let part = data.slice_with_f64_and_f64(at as f64, end as f64)?;
        JsFuture::from(stream.write_with_blob(&part)?).await?;
        at = end;
        if !proceed(at) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_named(error: &JsValue, name: &str) -> bool {
    error
        .dyn_ref::<DomException>()
        .is_some_and(|exception| exception.name() == name)
}
