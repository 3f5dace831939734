//! What the page says about saving.

use crate::format::count;
use crate::page::saving::Copied;

/// What became of saving so many files into a folder.
pub(in crate::page) fn copied(copied: &Copied, files: usize) -> String {
    let number = |files: usize| count(u32::try_from(files).unwrap_or(u32::MAX), "file");
    match copied {
        Copied::Saved { into, renamed: 0 } => {
            format!("{} saved in your folder, in {into}.", number(files))
        }
        Copied::Saved { into, renamed } => format!(
            "{} saved in your folder, in {into}. {renamed} of them under other names, since not every computer takes the torrent\u{2019}s.",
            number(files)
        ),
        Copied::Cancelled { files: 0, .. } => {
            "Saving was cancelled. Nothing of it is in your folder.".to_owned()
        }
        Copied::Cancelled { into, files } => format!(
            "Saving was cancelled. {} saved before that, in {into}.",
            number(*files)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_where_files_are_and_which_are_not_there() {
        let into = || "film (2)".to_owned();
        let saved = |renamed| {
            let into = into();
            copied(&Copied::Saved { into, renamed }, 4)
        };
        assert_eq!(saved(0), "4 files saved in your folder, in film (2).");
        assert!(saved(1).contains(" 1 of them under other names"));
        let cancelled = |files| {
            let into = into();
            copied(&Copied::Cancelled { into, files }, 4)
        };
        assert_eq!(
            cancelled(0),
            "Saving was cancelled. Nothing of it is in your folder."
        );
        assert_eq!(
            cancelled(1),
            "Saving was cancelled. 1 file saved before that, in film (2)."
        );
    }
}
