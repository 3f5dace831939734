//! Errors of the browser's file system, and their messages for the user.

use aqueduct_core::OpError;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

use crate::browser::error::reason;
use crate::format::{apart, size};

/// The explanation for data that are gone, as a sentence.
pub(crate) const CLEARED: &str =
    "This site's data were cleared in the browser, and what was stored of this torrent with them.";

/// An operation of the file system that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FsError {
    /// No such file or folder.
    #[error("it is not there")]
    Missing,
    /// The origin's quota is used up, or the disk is full.
    #[error("no space is left")]
    Full,
    /// The browser grants less than needed. All numbers are in bytes.
    #[error("{own} bytes are needed, and {others} for other torrents; {free} are free")]
    TooLittle {
        /// Needed by this torrent.
        own: u64,
        /// Needed by torrents that checked earlier.
        others: u64,
        /// Granted by the browser.
        free: u64,
    },
    /// The user has cleared the site's data.
    #[error("it was cleared")]
    Cleared,
    /// A file contains fewer bytes than requested.
    #[error("{expected} bytes were to be read, {received} are there")]
    Short {
        /// The number of bytes requested.
        expected: u32,
        /// The number of bytes read.
        received: u32,
    },
    /// The engine's worker refers to a torrent that the storage worker does not know.
    #[error("what stores its data does not know it")]
    Unknown,
    /// Any other failure, as a clause.
    #[error("{0}")]
    Other(String),
}

impl From<JsValue> for FsError {
    fn from(error: JsValue) -> Self {
        match error
            .dyn_ref::<DomException>()
            .map(DomException::name)
            .as_deref()
        {
            Some("NotFoundError") => Self::Missing,
            Some("QuotaExceededError") => Self::Full,
            _ => Self::Other(reason(&error)),
        }
    }
}

/// The failure and what to do about it, for the user.
impl From<FsError> for OpError {
    fn from(error: FsError) -> Self {
        let way_out = "Save and remove a torrent, or free space on this device.";
        let full = matches!(error, FsError::Full | FsError::TooLittle { .. });
        let message = match error {
            FsError::Full => {
                format!("The browser's storage for this page is full. {way_out}")
            }
            FsError::TooLittle { own, others, free } => {
                format!("{}. {way_out}", too_little(own, others, free))
            }
            FsError::Cleared => format!("{CLEARED} Press Resume to fetch it again."),
            other => format!("The browser's storage failed: {other}."),
        };
        Self::Storage { full, message }
    }
}

fn too_little(own: u64, others: u64, free: u64) -> String {
    let (free, own) = apart(free, own);
    match others {
        0 => format!("This torrent needs {own} more; the browser grants this page {free}"),
        others => format!(
            "This torrent needs {own} more; the browser grants this page {free}, and other torrents still need {} of it",
            size(others)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_storage_is_told_from_other_failures_and_says_how_much_is_missing() {
        let error = FsError::TooLittle {
            own: 3 << 20,
            others: 1 << 20,
            free: 2 << 20,
        };
        let OpError::Storage { full, message } = OpError::from(error) else {
            panic!("not a storage error");
        };
        assert!(full);
        assert_eq!(
            message,
            "This torrent needs 3.00 MiB more; the browser grants this page 2.00 MiB, and other torrents still need 1.00 MiB of it. \
             Save and remove a torrent, or free space on this device."
        );
        assert!(matches!(
            OpError::from(FsError::Missing),
            OpError::Storage { full: false, .. }
        ));
    }
}
