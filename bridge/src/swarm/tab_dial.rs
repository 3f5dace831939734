//! A connection between two tabs of one bridge, inside it and without a socket.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{PeerAddr, TabId};
use aqueduct_core::wire::Handshake;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::swarm::connected::Connected;
use crate::swarm::pipe::Pipe;
use crate::swarm::registry::{Arrival, Registration, Registry};

/// Why two tabs are not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TabDialError {
    /// The other tab has left the swarm.
    Gone,
    /// It did not accept the connection.
    Declined,
}

/// The two tabs of a connection.
#[derive(Debug)]
pub(crate) struct TabDial {
    registry: Arc<Registry>,
    from: TabId,
    to: TabId,
    ours: Handshake,
}

impl TabDial {
    pub(crate) fn new(from: &Registration, to: TabId, ours: Handshake) -> Self {
        Self {
            registry: Arc::clone(from.registry()),
            from: from.tab(),
            to,
            ours,
        }
    }

    /// Waits until the other tab's session accepts the connection, since each session has its own
    /// limits.
    pub(crate) async fn connect(self, limit: Duration) -> Result<Connected, TabDialError> {
        let Self {
            registry,
            from,
            to,
            ours,
        } = self;
        let tab = registry
            .find_tab(ours.info_hash, to)
            .ok_or(TabDialError::Gone)?;
        let ((near, far), (answer, answered)) = (Pipe::pair(), oneshot::channel());
        let arrival = Arrival {
            join: tab.join,
            addr: PeerAddr::Tab(from),
            connected: Connected::inside(far, ours),
            answer: Some(answer),
        };
        // A session whose queue is full has more peers than it can handle.
        tab.arrivals
            .try_send(arrival)
            .map_err(|_| TabDialError::Declined)?;
        let Ok(Ok(())) = timeout(limit, answered).await else {
            return Err(TabDialError::Declined);
        };
        Ok(Connected::inside(
            near,
            Handshake {
                peer_id: tab.peer_id,
                ..ours
            },
        ))
    }
}
