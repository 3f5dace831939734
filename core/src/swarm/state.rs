//! What is known of a torrent.

use std::sync::Arc;

use super::content::Content;
use super::metadata::MetadataFetch;
use super::storage::Pieces;
use crate::context::Context;
use crate::extensions::Standing;
use crate::io::Failure;
use crate::meta::Info;
use crate::types::ConnId;

#[derive(Debug)]
pub(super) enum State {
    /// Only its hash: the metadata are fetched from peers (BEP 9).
    Metadata(MetadataFetch),
    /// The metadata match the hash, and yet make no torrent.
    Invalid(String),
    /// The metadata; the driver has yet to open storage. Which files are wanted may be said
    /// already.
    Opening {
        info: Arc<Info>,
        wanted: Option<Vec<bool>>,
    },
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
        self.content()
            .is_some_and(|content| content.checking().is_some())
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

    /// Whether we take part in the swarm.
    pub(super) fn is_active(&self, cx: &Context) -> bool {
        !cx.paused && !self.is_checking()
    }

    /// Whether peers are told of peers (BEP 11, 27).
    pub(super) fn exchanges(&self, cx: &Context) -> bool {
        cx.config().pex && !self.is_private()
    }

    /// What we say of ourselves to a new peer.
    pub(super) fn standing(&self, cx: &Context) -> Standing<'_> {
        let info = self.content().map(|content| &*content.pieces.info);
        Standing {
            info,
            exchanges: self.exchanges(cx),
            partial_seed: self.is_partial_seed(),
        }
    }

    /// Payload bytes from one peer in this round of choking and in the one before.
    pub(super) fn received_lately(&self, conn: ConnId) -> u64 {
        let known = self
            .content()
            .and_then(|content| content.download.peer(conn));
        known.map_or(0, |known| known.received_lately())
    }
}
