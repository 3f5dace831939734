//! The resources that a connection to the page's port holds while it is open.

use std::convert::Infallible;

use tokio::sync::{AcquireError, mpsc};

use crate::limits::connection_time::ConnectionTime;
use crate::limits::descriptors::SocketPermit;
use crate::limits::quota::Share;

/// Held by a connection, and by the session that it may become.
pub(crate) struct ConnectionGuard {
    /// Nothing is sent. The bridge waits until all senders are gone.
    _open: mpsc::Sender<Infallible>,
    _socket: Result<SocketPermit, AcquireError>,
    _share: Option<Share>,
    pub(super) time: ConnectionTime,
}

impl ConnectionGuard {
    pub(crate) fn new(
        open: mpsc::Sender<Infallible>,
        socket: Result<SocketPermit, AcquireError>,
        share: Option<Share>,
    ) -> Self {
        Self {
            _open: open,
            _socket: socket,
            _share: share,
            time: ConnectionTime::default(),
        }
    }
}
