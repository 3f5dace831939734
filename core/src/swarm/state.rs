//! What is known about a torrent.

use std::sync::Arc;

use super::content::Content;
use super::metadata::MetadataFetch;
use super::storage::Pieces;
use crate::context::Context;
use crate::extensions::OwnState;
use crate::io::Failure;
use crate::meta::Info;
use crate::types::ConnId;

#[derive(Debug)]
pub(super) enum State {
    /// Only its hash; the metadata are downloaded from peers (BEP 9).
    Metadata(MetadataFetch),
    /// Metadata that match the hash but are not a valid torrent.
    Invalid(String),
    /// The metadata; the driver has not opened storage yet. Files may be selected already.
    Opening {
        info: Arc<Info>,
        wanted: Option<Vec<bool>>,
    },
    /// The metadata, and which pieces are complete.
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

    /// Whether the torrent is private (BEP 27), as far as that is known.
    pub(super) fn is_private(&self) -> bool {
        self.info().is_some_and(|info| info.private)
    }

    /// Whether the data on disk are being read and hashed.
    pub(super) fn is_checking(&self) -> bool {
        self.content()
            .is_some_and(|content| content.checking().is_some())
    }

    /// Whether all wanted pieces are complete.
    pub(super) fn is_complete(&self) -> bool {
        self.content().is_some_and(Content::is_complete)
    }

    /// Whether all wanted pieces are complete, but not all pieces (BEP 21).
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

    /// Whether the torrent takes part in the swarm.
    pub(super) fn is_active(&self, cx: &Context) -> bool {
        !cx.paused && !self.is_checking()
    }

    /// Whether peer exchange is used (BEP 11, 27).
    pub(super) fn exchanges(&self, cx: &Context) -> bool {
        cx.config().pex && !self.is_private()
    }

    /// Whether peers are introduced to each other (BEP 55), which private torrents leave to their
    /// trackers (BEP 27).
    pub(super) fn introduces(&self, cx: &Context) -> bool {
        cx.config().utp && !self.is_private()
    }

    /// Our state as announced to a new peer.
    pub(super) fn own_state(&self, cx: &Context) -> OwnState<'_> {
        let info = self.content().map(|content| &*content.pieces.info);
        OwnState {
            info,
            exchanges: self.exchanges(cx),
            introduces: self.introduces(cx),
            partial_seed: self.is_partial_seed(),
        }
    }

    /// Payload bytes received from one peer in this choking round and in the previous one.
    pub(super) fn received_lately(&self, conn: ConnId) -> u64 {
        let known = self
            .content()
            .and_then(|content| content.download.peer(conn));
        known.map_or(0, |known| known.received_lately())
    }
}
