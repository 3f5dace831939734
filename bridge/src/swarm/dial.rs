//! Dialling a peer: succeeds only if it has answered the handshake for the right info-hash.
//!
//! A dial has two attempts, since many peers close a connection before their handshake: those that
//! require encryption, and those that accept connections over a transport which is switched off.
//! The first one is in the clear, which costs both sides less, and over the transport that connects
//! first. The second one is encrypted, and over the other transport, or over the same if the other
//! does not answer soon.
//!
//! The target counts both attempts as requests. It counts the second one at the same time whether
//! it is made or not: a tab could otherwise find out by further dials to the same host whether a
//! port closes connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Encryption, Event};
use aqueduct_core::types;
use aqueduct_core::wire::Handshake;
use aqueduct_native::dial::{HalfOpen, HandshakeError};
use aqueduct_native::net::{Permit as _, is_remote_fault};
use aqueduct_native::transport::{ByteStream as _, PeerStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use crate::limits::key_exchanges::Denied;
use crate::limits::targets::Permit;
use crate::swarm::context::SwarmContext;

/// When the target counts the second attempt. Most connections are complete before.
const SECOND_AFTER: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("connected to {actual} instead of {expected}")]
    Elsewhere {
        expected: SocketAddr,
        actual: SocketAddr,
    },
    /// The remote side sent our own handshake back.
    #[error("connected to ourselves")]
    Ourselves,
    /// Too many dials exchange keys.
    #[error(transparent)]
    KeyExchange(#[from] Denied),
    /// The target may not be sent another request in time, or it is not our turn to exchange keys.
    #[error("there was no time for another attempt")]
    NoTime,
}

/// The connection, with the handshake of the remote side.
pub(crate) type Shaken = (HalfOpen<PeerStream>, Handshake);

/// A dial.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) context: Arc<SwarmContext>,
    pub(crate) addr: SocketAddr,
    pub(crate) ours: Handshake,
    /// When it fails, however slowly the remote side sends.
    pub(crate) end: Instant,
}

impl Dial {
    /// Connects and exchanges handshakes.
    pub(crate) async fn run(&self, permit: &mut Permit) -> Result<Shaken, DialError> {
        let (request, is_counted) = (permit.another(), Notify::new());
        let counting = async {
            sleep(SECOND_AFTER).await;
            request.await;
            is_counted.notify_one();
        };
        let attempts = self.attempt_twice(permit, &is_counted);
        let (mut attempts, mut counting) = (pin!(attempts), pin!(counting));
        let outcome = tokio::select! {
            outcome = &mut attempts => outcome,
            () = &mut counting => return attempts.await,
        };
        if outcome.is_err() {
            // Also after the end the number of requests is the same.
            let _ = timeout_at(self.end, counting).await;
        }
        outcome
    }

    async fn attempt_twice(
        &self,
        permit: &mut Permit,
        is_counted: &Notify,
    ) -> Result<Shaken, DialError> {
        let (ways, encryption) = (&self.context.ways, self.context.encryption);
        let first = match encryption {
            Encryption::Off | Encryption::Allow => Encryption::Off,
            Encryption::Require => Encryption::Require,
        };
        let stream = self.connect(permit).await?;
        let transport = stream.transport();
        let outcome = self.shake_hands(stream, first, permit).await;
        let is_other = first != encryption || ways.utp.is_some();
        if !was_closed(&outcome) || !is_other {
            return outcome;
        }
        let counted = timeout_at(self.end, is_counted.notified()).await;
        counted.map_err(|_| DialError::NoTime)?;
        let other = timeout_at(self.end, ways.connect_otherwise(self.addr, transport)).await;
        let stream = match other {
            Ok(Some(stream)) => stream,
            Ok(None) if first != encryption => self.connect(permit).await?,
            Ok(None) | Err(_) => return outcome,
        };
        self.shake_hands(stream, encryption, permit).await
    }

    async fn connect(&self, permit: &mut Permit) -> Result<PeerStream, DialError> {
        let connected = timeout_at(self.end, self.context.ways.connect(self.addr))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match &connected {
            Ok(_) => permit.reached(),
            // Only this counts as the fault of the address. A peer that closes the connection later
            // does so because of the info-hash, which the tab chose.
            Err(error) if is_remote_fault(error) => permit.failed(),
            Err(_) => {}
        }
        Ok(connected?)
    }

    async fn shake_hands(
        &self,
        stream: PeerStream,
        mode: Encryption,
        permit: &Permit,
    ) -> Result<Shaken, DialError> {
        self.check_address(&stream)?;
        if mode != Encryption::Off {
            let turn = self.context.key_exchanges.turn(permit.client());
            let waited = timeout_at(self.end, turn).await;
            waited.map_err(|_| DialError::NoTime)??;
        }
        let now = Instant::now();
        let deadline = types::Instant::ZERO + self.end.saturating_duration_since(now);
        let connection = match mode {
            Encryption::Off => Connection::dial(self.ours, deadline),
            _ => Connection::dial_encrypted(self.ours, mode, seed()?, deadline),
        };
        let mut half_open = HalfOpen::new(stream, connection, now);
        let theirs = read_handshake(&mut half_open).await?;
        if theirs.peer_id == self.ours.peer_id {
            return Err(DialError::Ourselves);
        }
        Ok((half_open, theirs))
    }

    fn check_address(&self, stream: &PeerStream) -> Result<(), DialError> {
        let PeerStream::Tcp(socket) = stream else {
            return Ok(());
        };
        let (expected, actual) = (self.addr, socket.peer_addr()?);
        if actual == expected {
            Ok(())
        } else {
            Err(DialError::Elsewhere { expected, actual })
        }
    }
}

/// Whether the remote side closed the connection before its handshake.
const fn was_closed(outcome: &Result<Shaken, DialError>) -> bool {
    matches!(outcome, Err(DialError::Handshake(HandshakeError::Closed)))
}

/// Waits for the handshake of the remote side.
async fn read_handshake(half_open: &mut HalfOpen<PeerStream>) -> Result<Handshake, HandshakeError> {
    loop {
        if let Event::Handshaken(theirs) = half_open.next_event().await? {
            return Ok(theirs);
        }
    }
}

/// The seed of a key exchange.
pub(crate) fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
