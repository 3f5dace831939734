//! Where blocks come from.

use crate::types::ConnId;

/// Who fetches a piece in progress for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A connected peer.
    Peer(ConnId),
}
