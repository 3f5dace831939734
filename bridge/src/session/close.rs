//! Ending a session.

use aqueduct_core::tunnel::{Refusal, Server};
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::session::tab_socket::TabSocket;

/// Why a session ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// The tab closed it, or its connection broke.
    Tab,
    /// The bridge refused to continue.
    Refused(Refusal),
    /// The tab violated the WebSocket protocol.
    Broken(CloseCode),
}

impl End {
    /// The close frame with which the bridge ends the session; `None` if the tab has ended it.
    fn close_frame(self) -> Option<CloseFrame> {
        match self {
            Self::Tab => None,
            Self::Refused(refusal) => Some(CloseFrame {
                code: refusal.close_code().into(),
                reason: Utf8Bytes::from(refusal.to_string()),
            }),
            Self::Broken(code) => Some(CloseFrame {
                code,
                reason: Utf8Bytes::default(),
            }),
        }
    }
}

/// Sends what is packed and a close frame, or the answer to the tab's own, which the library has
/// packed already (RFC 6455, 5.5.1).
///
/// A socket that is dropped while bytes of the tab are unread is reset, and the close frame may be
/// lost with it, so everything is read first.
pub(crate) async fn close<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<TabSocket<S>>,
    mut tunnel: Server,
    end: End,
) {
    let frame = end.close_frame();
    if frame.is_some() {
        while let Some(message) = tunnel.poll_message() {
            if socket.send(Message::Binary(message)).await.is_err() {
                break;
            }
        }
    }
    let closed = if frame.is_some() {
        socket.close(frame).await
    } else {
        socket.flush().await
    };
    if closed.is_ok() {
        // This drops the library's buffers, and what they hold of an incomplete message.
        let mut rest = socket.into_inner();
        let _ = rest.shutdown().await;
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
}
