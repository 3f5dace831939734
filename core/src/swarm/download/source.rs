//! The sources of blocks.

use crate::types::ConnId;

/// The source that downloads a piece in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A connected peer.
    Peer(ConnId),
}
