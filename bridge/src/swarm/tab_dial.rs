//! Two tabs of one bridge meet inside it: from the address of a seat to a connection, without a
//! socket.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{PeerAddr, TabId};
use aqueduct_core::wire::Handshake;
use bytes::BytesMut;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::swarm::dial::{Connected, DialError};
use crate::swarm::pipe::Pipe;
use crate::swarm::registry::{Arrival, Registry, Seated};

/// Who goes to meet whom.
#[derive(Debug)]
pub(crate) struct Visit {
    registry: Arc<Registry>,
    /// What the other tab will see as our address.
    from: TabId,
    to: TabId,
    ours: Handshake,
}

impl Visit {
    pub(crate) fn new(seat: &Seated, to: TabId, ours: Handshake) -> Self {
        Self {
            registry: Arc::clone(seat.registry()),
            from: seat.tab(),
            to,
            ours,
        }
    }

    /// Knocks, and waits for the other tab's session to say yes: each has its own limits.
    pub(crate) async fn pay(self, limit: Duration) -> Result<Connected, DialError> {
        let Self {
            registry,
            from,
            to,
            ours,
        } = self;
        let seat = registry.at(ours.info_hash, to).ok_or(DialError::Gone)?;
        let ((near, far), (answer, answered)) = (Pipe::pair(), oneshot::channel());
        let arrival = Arrival {
            join: seat.join,
            addr: PeerAddr::Tab(from),
            connected: Connected::inside(far, ours),
            answer: Some(answer),
        };
        // A tab whose arrivals are full has more peers than it can take.
        seat.arrivals
            .try_send(arrival)
            .map_err(|_| DialError::Unwanted)?;
        timeout(limit, answered)
            .await
            .map_err(|_| DialError::Timeout(limit))?
            .map_err(|_| DialError::Unwanted)?;
        Ok(Connected::inside(
            near,
            Handshake {
                peer_id: seat.peer_id,
                ..ours
            },
        ))
    }
}

impl Connected {
    fn inside(pipe: Pipe, theirs: Handshake) -> Self {
        Self {
            pipe,
            theirs,
            leftover: BytesMut::new(),
            _permit: None,
        }
    }
}
