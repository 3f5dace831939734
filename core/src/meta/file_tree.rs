//! The file list of a v2 torrent: `file tree` (BEP 52), nested dictionaries with files under the
//! empty key.

use super::MetainfoError;
use super::file_list::{Listed, size};
use crate::bencode::{Dict, Value};

const WRONG: MetainfoError = MetainfoError::Type {
    key: "file tree",
    expected: "a tree of dictionaries",
};

/// Reads all files in the order of the tree. The scan bounds the depth. A stack of iterators is
/// used instead of recursion.
pub(super) fn files(tree: Value<'_>) -> Result<Vec<Listed<'_>>, MetainfoError> {
    let mut files = Vec::new();
    let mut path = Vec::new();
    let mut open = vec![tree.as_dict().ok_or(WRONG)?.iter()];
    while let Some(folder) = open.last_mut() {
        let Some((name, value)) = folder.next() else {
            open.pop();
            path.pop();
            continue;
        };
        let dict = value.as_dict().ok_or(WRONG)?;
        path.push(name);
        match leaf(dict)? {
            Some(file) => {
                files.push(listed(file, path.clone(), files.len())?);
                path.pop();
            }
            None => open.push(dict.iter()),
        }
    }
    if files.is_empty() {
        Err(MetainfoError::NoFiles)
    } else {
        Ok(files)
    }
}

/// The file's properties, if this dictionary describes a file. Keys are sorted, so the empty one
/// comes first.
fn leaf(dict: Dict<'_>) -> Result<Option<Dict<'_>>, MetainfoError> {
    match dict.iter().next() {
        Some((b"", file)) => file.as_dict().ok_or(WRONG).map(Some),
        _ => Ok(None),
    }
}

fn listed<'a>(
    file: Dict<'a>,
    path: Vec<&'a [u8]>,
    index: usize,
) -> Result<Listed<'a>, MetainfoError> {
    let size = size(
        file.get("length").ok_or(MetainfoError::Missing("length"))?,
        index,
    )?;
    Ok(Listed::new(
        path,
        size,
        file.bytes("attr").unwrap_or_default(),
    ))
}
