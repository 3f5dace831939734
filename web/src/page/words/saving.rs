//! What the page says about saving.

use crate::page::saving::Copied;
use crate::texts::saving as texts;

/// What became of saving so many files into a folder.
pub(in crate::page) fn copied(copied: &Copied, files: usize) -> String {
    match copied {
        Copied::Saved { into, renamed: 0 } => texts::saved(files, into),
        Copied::Saved { into, renamed } => texts::saved_and_renamed(files, into, renamed),
        Copied::Cancelled { files: 0, .. } => texts::cancelled().to_owned(),
        Copied::Cancelled { into, files } => texts::cancelled_after(*files, into),
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
