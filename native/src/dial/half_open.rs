//! A connection during its handshake: the loop between a transport and the state machine of the
//! protocol. The bridge uses it too.

use std::io::{self, IoSlice};
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event, Reason};
use aqueduct_core::types;
use aqueduct_core::wire::WireError;
use bytes::BytesMut;
use tokio::io::Interest;
use tokio::time::{Instant, timeout_at};

use crate::transport::ByteStream;

/// The number of bytes read at a time. Bytes after the handshake are kept.
const ROOM: usize = 1024;
/// The number of slices per write; a handshake needs one.
const MAX_SLICES: usize = 4;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The deadline passed.
    #[error("no handshake in time")]
    Timeout(Reason),
    /// The remote side closed or reset the connection.
    #[error("closed by the peer during the handshake")]
    Closed,
    /// The transport failed otherwise.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The remote side violated the protocol, or belongs to another swarm.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// A connection whose handshake is in progress.
#[derive(Debug)]
pub struct HalfOpen<S> {
    /// The transport.
    pub stream: S,
    /// The state machine of the protocol.
    pub connection: Connection,
    /// Received bytes that were not processed. After the handshake: the bytes that followed it.
    pub input: BytesMut,
    deadline: Instant,
}

impl<S: ByteStream> HalfOpen<S> {
    /// The clock of `connection` started at `started`; its fixed deadline is relative to that.
    pub fn new(stream: S, connection: Connection, started: Instant) -> Self {
        let timeout = connection.poll_timeout();
        let limit = timeout.map_or(Duration::ZERO, |(at, _)| at.since(types::Instant::ZERO));
        Self {
            stream,
            connection,
            input: BytesMut::new(),
            deadline: started + limit,
        }
    }

    /// The next event from the remote side. Queued bytes are written first.
    ///
    /// # Errors
    /// See [`HandshakeError`]. The connection must be dropped.
    pub async fn next_event(&mut self) -> Result<Event, HandshakeError> {
        loop {
            let event = self.connection.poll_event(&mut self.input)?;
            self.flush().await?;
            if let Some(event) = event {
                if matches!(event, Event::Handshaken(_)) {
                    self.stream.confirm();
                }
                return Ok(event);
            }
            self.input.reserve(ROOM);
            match self.stream.try_read(&mut self.input) {
                Ok(0) => return Err(HandshakeError::Closed),
                Ok(_) => {}
                Err(error) => self.wait(error, Interest::READABLE).await?,
            }
        }
    }

    /// Writes all queued bytes.
    ///
    /// # Errors
    /// As [`HalfOpen::next_event`].
    pub async fn flush(&mut self) -> Result<(), HandshakeError> {
        while !self.connection.is_flushed() {
            if let Err(error) = self.write() {
                self.wait(error, Interest::WRITABLE).await?;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = self.connection.poll_transmit(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        let written = self.stream.try_write_vectored(slices)?;
        self.connection.handle_written(written);
        Ok(())
    }

    /// Waits for the stream if the error is `WouldBlock`; returns any other error.
    async fn wait(&self, error: io::Error, interest: Interest) -> Result<(), HandshakeError> {
        match error.kind() {
            io::ErrorKind::WouldBlock => {}
            // A socket that is closed before it has read our handshake resets the connection.
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => return Err(HandshakeError::Closed),
            _ => return Err(error.into()),
        }
        match timeout_at(self.deadline, self.stream.ready(interest)).await {
            Ok(ready) => Ok(ready.map(|_| ())?),
            Err(_) => Err(HandshakeError::Timeout(self.reason())),
        }
    }

    fn reason(&self) -> Reason {
        let timeout = self.connection.poll_timeout();
        timeout.map_or(Reason::Answer, |(_, reason)| reason)
    }
}
