//! Reading the payload of a long frame in few calls.
//!
//! The WebSocket library reads as many bytes at once as its first buffer had, and that one is small,
//! since ten thousand idle tabs have one each. While the rest of a frame is longer, more is read
//! from the socket here, and handed over in the library's portions: a copy within the processor's
//! cache costs less than the system calls.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// The maximum number of bytes that are read at once: 64 KiB, which fit into the cache.
pub(super) const MAX: usize = 64 * 1024;

/// What was read from the socket and not handed over. It never extends beyond the frame, and has no
/// memory between long frames, nor while the tab is slow.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    buffer: Vec<u8>,
    /// The bytes in front of this one were handed over.
    start: usize,
    /// The last read took all that it could, so that the socket probably has more.
    has_more: bool,
}

impl ReadAhead {
    /// The memory in use, in bytes.
    pub(super) const fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads into `out`. `left` is the length of the rest of the frame.
    pub(super) fn poll_read(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        left: u64,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            let left = usize::try_from(left).map_or(MAX, |left| left.min(MAX));
            if !self.has_more || left <= out.remaining() {
                ready!(Pin::new(socket).poll_read(cx, out))?;
                self.has_more = out.remaining() == 0;
                return Poll::Ready(Ok(()));
            }
            ready!(self.fill(socket, cx, left))?;
        }
        self.hand_over(out);
        Poll::Ready(Ok(()))
    }

    fn fill(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        length: usize,
    ) -> Poll<io::Result<()>> {
        self.has_more = false;
        let mut buffer = vec![0; length];
        let mut read = ReadBuf::new(&mut buffer);
        ready!(Pin::new(socket).poll_read(cx, &mut read))?;
        self.has_more = read.remaining() == 0;
        let length = read.filled().len();
        buffer.truncate(length);
        (self.buffer, self.start) = (buffer, 0);
        Poll::Ready(Ok(()))
    }

    fn hand_over(&mut self, out: &mut ReadBuf<'_>) {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let (now, later) = rest.split_at(rest.len().min(out.remaining()));
        out.put_slice(now);
        self.start += now.len();
        if later.is_empty() {
            self.buffer = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A socket with these bytes. Notes how many each call read.
    struct Source {
        bytes: Vec<u8>,
        reads: Vec<usize>,
    }

    impl AsyncRead for Source {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = out.remaining().min(self.bytes.len());
            self.bytes
                .drain(..length)
                .for_each(|byte| out.put_slice(&[byte]));
            self.reads.push(length);
            Poll::Ready(Ok(()))
        }
    }

    /// Reads a frame of 200,000 bytes in portions of 8 KiB from a socket with `sent`.
    async fn read(sent: &[u8]) -> (Vec<u8>, Source, ReadAhead) {
        let mut source = Source {
            bytes: sent.to_vec(),
            reads: Vec::new(),
        };
        let (mut ahead, mut received) = (ReadAhead::default(), Vec::new());
        while received.len() < 200_000 {
            let mut portion = [0; 8192];
            let mut out = ReadBuf::new(&mut portion);
            let left = (200_000 - received.len()) as u64;
            poll_fn(|cx| ahead.poll_read(&mut source, cx, left, &mut out))
                .await
                .unwrap();
            if out.filled().is_empty() {
                break;
            }
            received.extend_from_slice(out.filled());
        }
        (received, source, ahead)
    }

    #[tokio::test]
    async fn a_long_frame_is_read_in_few_calls_and_none_keeps_bytes_that_follow_it() {
        let sent: Vec<u8> = (0..=250).cycle().take(201_000).collect();
        let (received, source, ahead) = read(&sent).await;
        assert_eq!(received[..200_000], sent[..200_000]);
        assert_eq!(source.reads[..3], [8192, MAX, MAX]);
        assert!(source.reads.len() <= 5, "{:?}", source.reads);
        assert_eq!(received.len() + source.bytes.len(), sent.len());
        assert_eq!(ahead.held(), 0);
    }

    #[tokio::test]
    async fn nothing_is_read_ahead_from_a_socket_that_has_no_more() {
        let (received, source, ahead) = read(&[7; 100]).await;
        assert_eq!((received.len(), source.reads), (100, vec![100, 0]));
        assert_eq!(ahead.held(), 0);
    }
}
