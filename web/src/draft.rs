//! Whether a torrent can be created of the user's files. The page asks before it takes what the user
//! has filled in, the engine's worker before it creates the torrent.

use aqueduct_core::meta::{Content, CreateError, Draft, NewFile};
use aqueduct_core::types::visible;

use crate::message::SharedFile;
use crate::texts::creating as texts;

/// A torrent of these files with this name, without the digests.
///
/// # Errors
/// One sentence for the user, if there can be no such torrent.
pub(crate) fn draft(name: &str, files: &[SharedFile]) -> Result<Draft, String> {
    if name.is_empty() {
        return Err(texts::nameless().to_owned());
    }
    let draft = Draft::new(name, content(files), None);
    draft.map_err(|error| not_possible(name, &error))
}

/// Why these files cannot be shared, as a sentence.
pub(crate) fn not_possible(name: &str, error: &CreateError) -> String {
    texts::not_possible(visible(name), not_creatable(error))
}

/// Why no torrent can be made of the user's files, as a clause.
pub(crate) fn not_creatable(error: &CreateError) -> String {
    match error {
        CreateError::NoFiles => texts::no_files().to_owned(),
        CreateError::OnlyEmptyFiles => texts::only_empty_files().to_owned(),
        CreateError::Name { given, written } => {
            texts::unsafe_name(visible(given), visible(written))
        }
        CreateError::DeepPath {
            path,
            received,
            limit,
        } => texts::deep_path(visible(path), received, limit),
        CreateError::TotalSize => texts::too_large().to_owned(),
        CreateError::PieceLength(_) | CreateError::Lengths(_) | CreateError::Invalid(_) => {
            texts::invalid(error)
        }
    }
}

fn content(files: &[SharedFile]) -> Content {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_words_errors_of_creation_as_the_page_does_in_english() {
        let path = || "a\u{202e}b".to_owned();
        for error in [
            CreateError::NoFiles,
            CreateError::OnlyEmptyFiles,
            CreateError::Name {
                given: path(),
                written: "a_b".to_owned(),
            },
            CreateError::DeepPath {
                path: path(),
                received: 200,
                limit: 100,
            },
            CreateError::TotalSize,
            CreateError::PieceLength(3),
        ] {
            assert_eq!(not_creatable(&error), error.to_string());
        }
    }

    #[test]
    fn a_torrent_needs_a_name_that_can_be_a_file() {
        let files = [SharedFile {
            path: Vec::new(),
            size: 1,
        }];
        assert!(draft("film.mkv", &files).is_ok());
        for bad in ["", "AC/DC", "..", "."] {
            assert!(draft(bad, &files).is_err(), "{bad}");
        }
    }
}
