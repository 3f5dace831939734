//! What the machine has to do when a deadline has come.

use super::io::{Key, QueryId, Reason};

/// What is to be done when a deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Ask this tracker (by its index in the torrent).
    Announce(Key, usize),
    /// Wait no longer for this one alone.
    Patience(QueryId),
    /// Send the datagram again.
    Retransmit(QueryId),
    /// Leave without an answer, or give up a scrape.
    Farewell(QueryId),
}

impl Wake {
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Announce(..) => Reason::Announce,
            Self::Patience(_) => Reason::Patience,
            Self::Retransmit(_) => Reason::Retransmit,
            Self::Farewell(_) => Reason::Farewell,
        }
    }
}
