//! A connection to a peer with a complete handshake.

use aqueduct_core::wire::Handshake;
use aqueduct_native::dial::HalfOpen;
use bytes::BytesMut;
use tokio::net::TcpStream;

use crate::limits::descriptors::SocketPermit;
use crate::swarm::pipe::Pipe;

/// A connection, and the content of its handshake.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) pipe: Pipe,
    pub(crate) theirs: Handshake,
    /// What the peer sent after its handshake.
    pub(crate) leftover: BytesMut,
    /// Released when the connection ends; a connection between tabs has none.
    pub(crate) _permit: Option<SocketPermit>,
}

impl Connected {
    /// A peer on the network, once both handshakes are complete.
    pub(crate) fn new(
        half_open: HalfOpen<TcpStream>,
        theirs: Handshake,
        permit: SocketPermit,
    ) -> Self {
        Self {
            pipe: Pipe::Socket(half_open.stream),
            theirs,
            leftover: half_open.input,
            _permit: Some(permit),
        }
    }

    /// One end of a connection between two tabs of this bridge.
    pub(crate) fn inside(pipe: Pipe, theirs: Handshake) -> Self {
        Self {
            pipe,
            theirs,
            leftover: BytesMut::new(),
            _permit: None,
        }
    }
}
