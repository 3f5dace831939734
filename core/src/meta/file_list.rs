//! The file list of a v1 torrent: `length` or `files` (BEP 3), with attributes (BEP 47).

use super::MetainfoError;
use super::path::MAX_DEPTH;
use crate::bencode::{Dict, Value};

/// The prefix with which old clients named padding files before BEP 47.
const OLD_PAD_PREFIX: &[u8] = b"_____padding_file_";

/// A file as listed in the torrent. Its path is not sanitised yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed<'a> {
    /// The path components below the torrent's name; empty for a single file.
    pub(super) path: Vec<&'a [u8]>,
    pub(super) size: u64,
    pub(super) pad: bool,
}

impl<'a> Listed<'a> {
    /// A file with its BEP 47 attributes. `p` is a padding file. `l` is a symbolic link, which is
    /// never created: it keeps its index in the list and has no bytes.
    pub(super) fn new(path: Vec<&'a [u8]>, size: u64, attr: &[u8]) -> Self {
        let link = attr.contains(&b'l');
        let old_pad = path
            .last()
            .is_some_and(|name| name.starts_with(OLD_PAD_PREFIX));
        Self {
            path,
            size: if link { 0 } else { size },
            pad: link || old_pad || attr.contains(&b'p'),
        }
    }
}

/// Reads a single-file torrent: `length`.
pub(super) fn single(length: Value<'_>) -> Result<Vec<Listed<'static>>, MetainfoError> {
    Ok(vec![Listed {
        path: Vec::new(),
        size: size(length, 0)?,
        pad: false,
    }])
}

/// Reads a multi-file torrent: `files`.
pub(super) fn multi(files: Value<'_>) -> Result<Vec<Listed<'_>>, MetainfoError> {
    let list = files.as_list().ok_or(MetainfoError::Type {
        key: "files",
        expected: "a list",
    })?;
    let files: Vec<_> = list
        .enumerate()
        .map(|(index, file)| one(index, file))
        .collect::<Result<_, _>>()?;
    if files.is_empty() {
        Err(MetainfoError::NoFiles)
    } else {
        Ok(files)
    }
}

fn one(index: usize, file: Value<'_>) -> Result<Listed<'_>, MetainfoError> {
    let dict = file.as_dict().ok_or(MetainfoError::Type {
        key: "files",
        expected: "a list of dictionaries",
    })?;
    let keys = Keys::of(dict);
    let size = size(keys.length.ok_or(MetainfoError::Missing("length"))?, index)?;
    // As with `name.utf-8`, a value that is not a list of UTF-8 strings is ignored.
    let in_utf8 = keys.path_utf8.filter(|path| {
        path.as_list()
            .is_some_and(|mut list| list.all(|component| component.as_str().is_some()))
    });
    let path = in_utf8
        .or(keys.path)
        .ok_or(MetainfoError::Missing("path"))?;
    Ok(Listed::new(components(path, index)?, size, keys.attr))
}

/// The entries of a file's dictionary, found in a single pass.
#[derive(Default)]
struct Keys<'a> {
    attr: &'a [u8],
    length: Option<Value<'a>>,
    path: Option<Value<'a>>,
    path_utf8: Option<Value<'a>>,
}

impl<'a> Keys<'a> {
    fn of(dict: Dict<'a>) -> Self {
        let mut keys = Self::default();
        for (key, value) in dict {
            match key {
                b"attr" => keys.attr = value.as_bytes().unwrap_or_default(),
                b"length" => keys.length = Some(value),
                b"path" => keys.path = Some(value),
                b"path.utf-8" => keys.path_utf8 = Some(value),
                _ => {}
            }
        }
        keys
    }
}

fn components(path: Value<'_>, file: usize) -> Result<Vec<&[u8]>, MetainfoError> {
    const WRONG: MetainfoError = MetainfoError::Type {
        key: "path",
        expected: "a list of strings",
    };
    let mut components = Vec::new();
    for component in path.as_list().ok_or(WRONG)? {
        components.push(component.as_bytes().ok_or(WRONG)?);
    }
    // Other clients leave empty components out, and their data are found only under the same paths.
    let has_name = components.iter().any(|component| !component.is_empty());
    if has_name {
        components.retain(|component| !component.is_empty());
    } else {
        components.truncate(1);
    }
    match components.len() {
        0 => Err(MetainfoError::EmptyPath(file)),
        1..=MAX_DEPTH => Ok(components),
        received => Err(MetainfoError::DeepPath {
            file,
            received,
            limit: MAX_DEPTH,
        }),
    }
}

/// A size in bytes, which must not be negative.
pub(super) fn size(length: Value<'_>, file: usize) -> Result<u64, MetainfoError> {
    let size = length.as_int().ok_or(MetainfoError::Type {
        key: "length",
        expected: "a number",
    })?;
    u64::try_from(size).map_err(|_| MetainfoError::NegativeSize { file, size })
}
