//! A connection to a peer with a complete handshake.

use aqueduct_core::connection::{Ciphers, Encrypted, Line, Transport};
use aqueduct_core::wire::Handshake;
use aqueduct_native::dial::HalfOpen;
use aqueduct_native::transport::{ByteStream as _, PeerStream};
use bytes::BytesMut;

use crate::limits::descriptors::SocketPermit;
use crate::metrics::PeerMetrics;
use crate::swarm::pipe::Pipe;

/// A connection, and the content of its handshake.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) pipe: Pipe,
    pub(crate) line: Line,
    /// For what goes through the pipe; `None`: it is plaintext.
    pub(crate) ciphers: Option<Ciphers>,
    pub(crate) theirs: Handshake,
    /// What the peer sent after its handshake, in plaintext.
    pub(crate) leftover: BytesMut,
    /// For a socket; released when the connection ends. Connections over uTP and between tabs have
    /// none.
    pub(crate) _permit: Option<SocketPermit>,
}

impl Connected {
    /// A peer on the network, once both handshakes are complete. `permit`: for a socket.
    pub(crate) fn new(
        half_open: HalfOpen<PeerStream>,
        theirs: Handshake,
        permit: Option<SocketPermit>,
    ) -> Self {
        let line = Line {
            transport: half_open.stream.transport(),
            encrypted: half_open.connection.encrypted(),
        };
        let pipe = Pipe::from(half_open.stream);
        Self {
            line,
            _permit: permit.filter(|_| matches!(pipe, Pipe::Socket(_))),
            pipe,
            ciphers: half_open.connection.into_ciphers(),
            theirs,
            leftover: half_open.input,
        }
    }

    /// One end of a connection between two tabs of this bridge.
    pub(crate) fn inside(pipe: Pipe, theirs: Handshake) -> Self {
        Self {
            pipe,
            line: Line::clear(Transport::Pipe),
            ciphers: None,
            theirs,
            leftover: BytesMut::new(),
            _permit: None,
        }
    }

    /// Counts it as a peer that is handed to a tab.
    pub(crate) fn count(&self, metrics: &PeerMetrics) {
        let is_encrypted = self.line.encrypted == Encrypted::Everything;
        let is_utp = self.line.transport == Transport::Utp;
        metrics.streams_total.add(1);
        metrics
            .encrypted_streams_total
            .add(usize::from(is_encrypted));
        metrics.utp_streams_total.add(usize::from(is_utp));
        tracing::debug!(is_encrypted, is_utp, "a peer is connected to a tab");
    }
}
