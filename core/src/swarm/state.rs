//! What is known of a torrent.

use std::sync::Arc;

use super::content::Content;
use super::metadata::MetadataFetch;
use super::storage::Pieces;
use crate::io::Failure;
use crate::meta::Info;

#[derive(Debug)]
pub(super) enum State {
    /// Only its hash: the metadata are fetched from peers (BEP 9).
    Metadata(MetadataFetch),
    /// The metadata match the hash, and yet make no torrent.
    Invalid(String),
    /// The metadata; the driver has yet to open storage. Which files are wanted may be said already.
    Opening { info: Arc<Info>, wanted: Option<Vec<bool>> },
    /// The metadata, and what is had.
    Open(Box<Content>),
}

impl State {
    pub(super) fn content(&self) -> Option<&Content> {
        match self {
            Self::Open(content) => Some(content),
            _ => None,
        }
    }

    pub(super) fn pieces(&self) -> Option<&Pieces> {
        self.content().map(|content| &content.pieces)
    }

    pub(super) fn info(&self) -> Option<&Arc<Info>> {
        match self {
            Self::Open(content) => Some(&content.pieces.info),
            Self::Opening { info, .. } => Some(info),
            Self::Metadata(_) | Self::Invalid(_) => None,
        }
    }

    /// Whether peers may come from trackers alone (BEP 27), as far as that is known.
    pub(super) fn is_private(&self) -> bool {
        self.info().is_some_and(|info| info.private)
    }

    /// Whether what is on disk is being read and hashed.
    pub(super) fn is_checking(&self) -> bool {
        self.content().is_some_and(|content| content.checking().is_some())
    }

    /// Whether all that is wanted is had.
    pub(super) fn is_complete(&self) -> bool {
        self.content().is_some_and(Content::is_complete)
    }

    /// Whether all that is wanted is had, and yet not everything (BEP 21).
    pub(super) fn is_partial_seed(&self) -> bool {
        self.content().is_some_and(Content::is_partial_seed)
    }

    /// Why the torrent stopped, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Invalid(error) => Some(Failure::Metadata(error.clone())),
            Self::Open(content) => content.failure().cloned().map(Failure::Storage),
            Self::Metadata(_) | Self::Opening { .. } => None,
        }
    }
}
