//! Establishing a peer connection: connect or accept, then the handshake, each with a fixed
//! deadline.

mod half_open;
mod key_exchanges;
mod ways;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Encryption, Event, Line};
use aqueduct_core::types::{self, InfoHashV1};
use aqueduct_core::wire::{EncryptionError, Handshake, WireError};
use aqueduct_core::{CloseReason, Handshaken};
use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};

pub use self::half_open::{HalfOpen, HandshakeError};
pub(crate) use self::key_exchanges::KeyExchanges;
pub use self::ways::Ways;
use crate::random::random;
use crate::transport::{ByteStream, PeerStream};

/// The timeout of a connection attempt.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// The timeout of both handshakes, counted from the connection.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection after the handshake.
#[derive(Debug)]
pub struct Peer<S> {
    /// The transport.
    pub stream: S,
    /// The state machine of the protocol; messages follow.
    pub connection: Connection,
    /// Bytes that followed the handshake.
    pub rest: BytesMut,
    /// The remote side's handshake.
    pub handshake: Handshaken,
}

impl<S: ByteStream> Peer<S> {
    fn new(half_open: HalfOpen<S>, theirs: Handshake) -> Self {
        let HalfOpen {
            stream,
            connection,
            input,
            ..
        } = half_open;
        let line = Line {
            transport: stream.transport(),
            encrypted: connection.encrypted(),
        };
        Self {
            handshake: Handshaken::new(theirs, line),
            stream,
            connection,
            rest: input,
        }
    }
}

/// The swarm that a dialling remote side requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The swarm with this info-hash.
    InfoHash(InfoHashV1),
    /// The swarm whose [`obfuscated`](aqueduct_core::connection::obfuscated) info-hash is this: the
    /// remote side encrypts.
    Obfuscated([u8; 20]),
}

/// Connects to `addr` by the first of `ways` that succeeds, and performs the handshake `ours`. With
/// [`Encryption::Allow`] plaintext is tried first, which costs both sides less, then encryption if
/// the remote side closes the connection before its handshake. Each attempt also tries the other
/// transport, since some clients accept connections over a transport that is switched off, and then
/// close them.
///
/// # Errors
/// The connection fails, the deadline passes, or the remote side belongs to another swarm or uses
/// another protocol.
pub async fn connect(
    addr: SocketAddr,
    ways: &Ways,
    encryption: Encryption,
    ours: Handshake,
) -> Result<Peer<PeerStream>, CloseReason> {
    if encryption == Encryption::Require {
        return encrypted(addr, ways, encryption, ours).await;
    }
    match attempt(addr, ways, || Ok(Connection::dial(ours, deadline()))).await {
        Err(CloseReason::ClosedInHandshake) if encryption == Encryption::Allow => {
            match encrypted(addr, ways, encryption, ours).await {
                Err(CloseReason::Refused | CloseReason::TimedOut | CloseReason::Unreachable(_)) => {
                    Err(CloseReason::ClosedInHandshake)
                }
                outcome => outcome,
            }
        }
        outcome => outcome,
    }
}

async fn encrypted(
    addr: SocketAddr,
    ways: &Ways,
    encryption: Encryption,
    ours: Handshake,
) -> Result<Peer<PeerStream>, CloseReason> {
    let connection = || {
        let seed = random().map_err(unreachable)?;
        let deadline = deadline();
        Ok(Connection::dial_encrypted(ours, encryption, seed, deadline))
    };
    match attempt(addr, ways, connection).await {
        Err(CloseReason::ClosedInHandshake) => Err(CloseReason::ClosedInEncryptedHandshake),
        outcome => outcome,
    }
}

async fn attempt(
    addr: SocketAddr,
    ways: &Ways,
    connection: impl Fn() -> Result<Connection, CloseReason>,
) -> Result<Peer<PeerStream>, CloseReason> {
    let stream = ways.connect(addr).await.map_err(not_connected)?;
    let transport = stream.transport();
    let first = shake_hands(stream, connection()?).await;
    if !matches!(first, Err(CloseReason::ClosedInHandshake)) {
        return first;
    }
    match ways.connect_otherwise(addr, transport).await {
        Some(stream) => shake_hands(stream, connection()?).await,
        None => first,
    }
}

async fn shake_hands(
    stream: PeerStream,
    connection: Connection,
) -> Result<Peer<PeerStream>, CloseReason> {
    let mut half_open = HalfOpen::new(stream, connection, Instant::now());
    loop {
        if let Event::Handshaken(theirs) = half_open.next_event().await.map_err(failed)? {
            return Ok(Peer::new(half_open, theirs));
        }
    }
}

/// Performs the handshake with a remote side that connected to us. `ours` returns our handshake for
/// the requested swarm; `None` if we are not in it. Before keys are exchanged, which costs processor
/// time, `may_exchange` must resolve.
///
/// # Errors
/// The deadline passes, the swarm is not ours, the remote side uses another protocol, or the error
/// of `may_exchange`.
pub async fn accept<S: ByteStream>(
    stream: S,
    encryption: Encryption,
    may_exchange: impl Future<Output = Result<(), CloseReason>>,
    ours: impl Fn(Wanted) -> Option<Handshake>,
) -> Result<Peer<S>, CloseReason> {
    let started = Instant::now();
    let mut half_open = HalfOpen::new(stream, Connection::accept(deadline()), started);
    let ours = |wanted| ours(wanted).ok_or(CloseReason::Inactive);
    let mut may_exchange = Some(may_exchange);
    loop {
        let event = match half_open.next_event().await {
            // Its first bytes are no handshake. They are still in the input.
            Err(HandshakeError::Wire(WireError::Protocol))
                if encryption != Encryption::Off
                    && let Some(may_exchange) = may_exchange.take() =>
            {
                let admitted = timeout_at(started + HANDSHAKE_TIMEOUT, may_exchange).await;
                admitted.unwrap_or(Err(CloseReason::Full))?;
                half_open = exchanging_keys(half_open, encryption, started)?;
                continue;
            }
            event => event.map_err(failed)?,
        };
        match event {
            Event::Sought(swarm) => {
                let ours = ours(Wanted::Obfuscated(swarm))?;
                half_open.connection.reveal(ours.info_hash);
            }
            Event::Wanted(_) if encryption == Encryption::Require && may_exchange.is_some() => {
                return Err(CloseReason::Protocol(EncryptionError::Required.into()));
            }
            Event::Wanted(info_hash) => {
                let ours = ours(Wanted::InfoHash(info_hash))?;
                half_open.connection.answer(ours);
            }
            Event::Handshaken(theirs) => {
                half_open.flush().await.map_err(failed)?;
                return Ok(Peer::new(half_open, theirs));
            }
            Event::Message(_) => {}
        }
    }
}

/// The same connection, on which keys are exchanged.
fn exchanging_keys<S: ByteStream>(
    half_open: HalfOpen<S>,
    encryption: Encryption,
    started: Instant,
) -> Result<HalfOpen<S>, CloseReason> {
    let seed = random().map_err(unreachable)?;
    let connection = Connection::accept_encrypted(encryption, seed, deadline());
    let HalfOpen { stream, input, .. } = half_open;
    let mut half_open = HalfOpen::new(stream, connection, started);
    half_open.input = input;
    Ok(half_open)
}

/// The deadline on the clock of a connection's state machine, which starts with the connection.
fn deadline() -> types::Instant {
    types::Instant::ZERO + HANDSHAKE_TIMEOUT
}

fn failed(error: HandshakeError) -> CloseReason {
    match error {
        HandshakeError::Timeout(_) => CloseReason::HandshakeTimeout,
        HandshakeError::Closed => CloseReason::ClosedInHandshake,
        HandshakeError::Io(error) => unreachable(error),
        HandshakeError::Wire(WireError::InfoHash { .. }) => CloseReason::WrongInfoHash,
        HandshakeError::Wire(other) => CloseReason::Protocol(other),
    }
}

fn unreachable(error: io::Error) -> CloseReason {
    CloseReason::Unreachable(error.to_string())
}

fn not_connected(error: io::Error) -> CloseReason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => CloseReason::Refused,
        io::ErrorKind::TimedOut => CloseReason::TimedOut,
        // It accepted the connection, and closed it before we noticed.
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            CloseReason::ClosedInHandshake
        }
        _ => unreachable(error),
    }
}

#[cfg(test)]
mod tests;
