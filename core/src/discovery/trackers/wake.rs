//! What a request waits for.

use super::io::{QueryId, Reason};

/// What is to be done when a deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Wait no longer for this one alone.
    Patience(QueryId),
    /// Send the datagram again.
    Retransmit(QueryId),
    /// Leave without an answer, or give up a scrape.
    Farewell(QueryId),
    /// Its place is free for another announce of the same owner, whatever became of it.
    Place(QueryId),
}

impl Wake {
    /// All that one request may wait for while it is under way.
    pub(super) const fn all(id: QueryId) -> [Self; 3] {
        [Self::Patience(id), Self::Retransmit(id), Self::Farewell(id)]
    }

    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Patience(_) => Reason::Patience,
            Self::Retransmit(_) => Reason::Retransmit,
            Self::Farewell(_) => Reason::Farewell,
            Self::Place(_) => Reason::Place,
        }
    }
}
