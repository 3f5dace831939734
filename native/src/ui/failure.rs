//! Why a command failed: a class, which is also the exit code, and a message that says what to do.

use aqueduct_core::CommandError;
use aqueduct_core::meta::{CreateError, MagnetError, MetainfoError};
use aqueduct_native::storage::StorageError;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anything not named below.
    Failure = 1,
    /// The command line is invalid.
    Usage = 2,
    /// The torrent or magnet link is invalid.
    InvalidTorrent = 3,
    /// No peers, or no progress in time.
    NoPeers = 4,
    /// Files could not be read or written: space, permission, I/O.
    Storage = 5,
    /// The data do not match the torrent.
    Mismatch = 6,
    /// The user interrupted.
    Interrupted = 130,
}

impl Class {
    /// The name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::InvalidTorrent => "invalid_torrent",
            Self::NoPeers => "no_peers",
            Self::Storage => "storage",
            Self::Mismatch => "mismatch",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// Foreign text in it is escaped already.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }

    /// The same failure, with its subject before the message.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self {
            message: format!(
                "{}: {}",
                aqueduct_core::types::visible(subject),
                self.message
            ),
            ..self
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let class = if matches!(error, StorageError::Changed { .. }) {
            Class::Failure
        } else {
            Class::Storage
        };
        Self::new(class, error.to_string())
    }
}

impl From<MetainfoError> for Failure {
    fn from(error: MetainfoError) -> Self {
        let message = match &error {
            MetainfoError::Bencode(_) | MetainfoError::NotATorrent(_) => error.to_string(),
            _ => format!("this is no valid torrent: {error}; get it again, or from another place"),
        };
        Self::new(Class::InvalidTorrent, message)
    }
}

impl From<MagnetError> for Failure {
    fn from(error: MagnetError) -> Self {
        let message = match &error {
            MagnetError::Hash(_) => error.to_string(),
            _ => format!("{error}; copy the whole link again"),
        };
        Self::new(Class::InvalidTorrent, message)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let class = if error == CommandError::V2Only {
            Class::InvalidTorrent
        } else {
            Class::Failure
        };
        Self::new(class, error.to_string())
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        let class = if matches!(error, CreateError::PieceLength(_)) {
            Class::Usage
        } else {
            Class::Failure
        };
        Self::new(class, error.to_string())
    }
}
