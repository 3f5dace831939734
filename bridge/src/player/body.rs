//! The body of an answer to a player.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::limits::connection_time::Extension;

/// What becomes of a body, for the session of the tab.
#[derive(Debug)]
pub(crate) enum BodyEvent {
    /// The player's connection has taken bytes.
    Taken {
        /// The stream.
        stream: u32,
        /// Their number.
        bytes: usize,
    },
    /// The player has received everything, or its connection is over.
    Over {
        /// The stream.
        stream: u32,
    },
}

/// What a read holds as long as it is in progress.
#[derive(Debug)]
pub(crate) struct Held {
    _slot: OwnedSemaphorePermit,
    _connection: Extension,
}

impl Held {
    pub(crate) const fn new(slot: OwnedSemaphorePermit, connection: Extension) -> Self {
        Self {
            _slot: slot,
            _connection: connection,
        }
    }
}

/// The tab did not send everything, so the connection ends before the declared length.
#[derive(Debug, thiserror::Error)]
#[error("the tab has stopped sending")]
pub(crate) struct Cut;

/// The bytes of a read, as they arrive from the tab.
#[derive(Debug)]
pub(crate) struct Body {
    stream: u32,
    /// Bytes that have not been taken.
    left: u64,
    /// Holds no more than the tab has credit for.
    data: mpsc::UnboundedReceiver<Bytes>,
    session: mpsc::UnboundedSender<BodyEvent>,
    _held: Held,
}

impl Body {
    pub(crate) const fn new(
        stream: u32,
        length: u64,
        data: mpsc::UnboundedReceiver<Bytes>,
        session: mpsc::UnboundedSender<BodyEvent>,
        held: Held,
    ) -> Self {
        Self {
            stream,
            left: length,
            data,
            session,
            _held: held,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let Some(bytes) = ready!(self.data.poll_recv(cx)) else {
            return Poll::Ready(Some(Err(Cut)));
        };
        self.left = self.left.saturating_sub(bytes.len() as u64);
        // If the session is over, nobody counts.
        let _ = self.session.send(BodyEvent::Taken {
            stream: self.stream,
            bytes: bytes.len(),
        });
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let _ = self.session.send(BodyEvent::Over {
            stream: self.stream,
        });
    }
}
