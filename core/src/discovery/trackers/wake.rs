//! The deadlines of a request.

use super::io::{QueryId, Reason};

/// The action when a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Treat the tracker as slow.
    SlowTracker(QueryId),
    /// Send the datagram again.
    Retransmit(QueryId),
    /// Leave without an answer, or cancel a scrape.
    Farewell(QueryId),
    /// Free its slot for another announce of the same owner, whatever its state.
    Place(QueryId),
}

impl Wake {
    /// All deadlines that a request may have while it is in progress.
    pub(super) const fn all(id: QueryId) -> [Self; 3] {
        [
            Self::SlowTracker(id),
            Self::Retransmit(id),
            Self::Farewell(id),
        ]
    }

    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::SlowTracker(_) => Reason::SlowTracker,
            Self::Retransmit(_) => Reason::Retransmit,
            Self::Farewell(_) => Reason::Farewell,
            Self::Place(_) => Reason::Place,
        }
    }
}
