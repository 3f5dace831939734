//! Errors of the browser's file system, and their messages for the user.

use std::fmt;

use aqueduct_core::OpError;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

use crate::browser::error::reason;
use crate::format::{apart, size};
use crate::texts::{browser, storage as texts};

/// An operation of the file system that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FsError {
    /// No such file or folder.
    Missing,
    /// The origin's quota is used up, or the disk is full.
    Full,
    /// The browser grants less than needed. All numbers are in bytes.
    TooLittle {
        /// Needed by this torrent.
        own: u64,
        /// Needed by torrents that checked earlier.
        others: u64,
        /// Granted by the browser.
        free: u64,
    },
    /// The user has cleared the site's data.
    Cleared,
    /// A file contains fewer bytes than requested.
    Short {
        /// The number of bytes requested.
        expected: u32,
        /// The number of bytes read.
        received: u32,
    },
    /// The engine's worker refers to a torrent that the storage worker does not know.
    Unknown,
    /// Any other failure, as a clause.
    Other(String),
}

impl fmt::Display for FsError {
    /// A clause for the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => texts::missing(),
            Self::Full | Self::TooLittle { .. } => browser::no_space(),
            Self::Cleared => texts::was_cleared(),
            Self::Short { expected, received } => {
                return f.write_str(&texts::too_short(expected, received));
            }
            Self::Unknown => texts::unknown(),
            Self::Other(why) => why,
        })
    }
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
        let full = matches!(error, FsError::Full | FsError::TooLittle { .. });
        let message = match error {
            FsError::Full => texts::full().to_owned(),
            FsError::TooLittle { own, others, free } => too_little(own, others, free),
            FsError::Cleared => texts::cleared().to_owned(),
            other => texts::failed(other),
        };
        Self::Storage { full, message }
    }
}

fn too_little(own: u64, others: u64, free: u64) -> String {
    let (free, own) = apart(free, own);
    match others {
        0 => texts::too_little(own, free),
        others => texts::too_little_beside_others(own, free, size(others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn a_full_storage_is_told_from_other_failures_and_says_how_much_is_missing() {
        let error = FsError::TooLittle {
            own: 3 << 20,
            others: 1 << 20,
            free: 2 << 20,
        };
        let OpError::Storage { full, message } = OpError::from(error.clone()) else {
            panic!("not a storage error");
        };
        assert!(full);
        assert_eq!(
            message,
            "This torrent needs 3.00 MiB more; the browser grants this page 2.00 MiB, and other torrents still need 1.00 MiB of it. \
             Save and remove a torrent, or free space on this device."
        );
        let german = Language::German.during(|| OpError::from(error).to_string());
        assert!(
            german.starts_with("Dieser Torrent braucht noch 3,00 MiB; der Browser gewährt"),
            "{german}"
        );
        assert!(matches!(
            OpError::from(FsError::Missing),
            OpError::Storage { full: false, .. }
        ));
    }
}
