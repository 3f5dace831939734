//! What screens show of a torrent.

use aqueduct_core::TorrentSnapshot;

/// What is shown of one torrent.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Escaped.
    pub(crate) name: String,
    pub(crate) snapshot: TorrentSnapshot,
    /// Why nothing is received, if nothing is: trackers, dials. For a seed without peers: whether
    /// they can connect to it.
    pub(crate) hint: String,
}
