//! Bytes that wait for credit, one queue per stream. Streams take turns.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};

/// Why bytes were not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The stream was closed, or never opened.
    #[error("stream {0} is not open")]
    Closed(u32),
    /// The limit [`super::ClientConfig::max_queued`] is exceeded.
    #[error("{queued} bytes are queued on stream {stream}, at most {limit} may be")]
    Full {
        /// The stream.
        stream: u32,
        /// The number of bytes already queued.
        queued: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// All queues of a session.
#[derive(Debug)]
pub(super) struct SendQueues {
    /// The maximum number of bytes in the queue of one stream.
    limit: usize,
    queues: BTreeMap<u32, Queue>,
    /// The stream served last; the next round starts with the one after it.
    served: u32,
}

#[derive(Debug, Default)]
struct Queue {
    parts: VecDeque<Bytes>,
    bytes: usize,
}

impl SendQueues {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            queues: BTreeMap::new(),
            served: 0,
        }
    }

    /// Creates the queue of a stream.
    pub(super) fn open(&mut self, stream: u32) {
        self.queues.insert(stream, Queue::default());
    }

    /// Removes the queue of a stream.
    pub(super) fn close(&mut self, stream: u32) {
        self.queues.remove(&stream);
    }

    pub(super) fn push(&mut self, stream: u32, bytes: Bytes) -> Result<(), SendError> {
        let queue = self.queues.get_mut(&stream);
        let queue = queue.ok_or(SendError::Closed(stream))?;
        if queue.bytes + bytes.len() > self.limit {
            return Err(SendError::Full {
                stream,
                queued: queue.bytes,
                limit: self.limit,
            });
        }
        queue.bytes += bytes.len();
        if !bytes.is_empty() {
            queue.parts.push_back(bytes);
        }
        Ok(())
    }

    /// The number of bytes queued on a stream.
    pub(super) fn queued(&self, stream: u32) -> usize {
        self.queues.get(&stream).map_or(0, |queue| queue.bytes)
    }

    /// The streams with queued bytes, starting after the one served last.
    pub(super) fn turn(&self) -> Vec<u32> {
        let after = self.queues.range(self.served.saturating_add(1)..);
        after
            .chain(self.queues.range(..=self.served))
            .filter(|(_, queue)| queue.bytes > 0)
            .map(|(stream, _)| *stream)
            .collect()
    }

    /// Moves this many bytes from the front of a stream's queue to the message.
    pub(super) fn write(&mut self, stream: u32, bytes: usize, out: &mut BytesMut) {
        self.served = stream;
        if let Some(queue) = self.queues.get_mut(&stream) {
            queue.write(bytes, out);
        }
    }
}

impl Queue {
    fn write(&mut self, bytes: usize, out: &mut BytesMut) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let mut left = bytes;
        while let Some(front) = self.parts.front_mut().filter(|_| left > 0) {
            let part = front.split_to(left.min(front.len()));
            out.extend_from_slice(&part);
            left -= part.len();
            if front.is_empty() {
                self.parts.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_take_turns_and_each_sends_its_bytes_in_order() {
        let mut queues = SendQueues::new(10);
        (1..=3).for_each(|stream| queues.open(stream));
        for stream in [1, 3] {
            queues.push(stream, Bytes::from_static(b"ab")).unwrap();
            queues.push(stream, Bytes::from_static(b"cde")).unwrap();
        }
        assert_eq!(queues.turn(), [1, 3]);
        let mut out = BytesMut::new();
        queues.write(1, 3, &mut out);
        assert_eq!((&out[..], queues.queued(1)), (&b"abc"[..], 2));
        assert_eq!(queues.turn(), [3, 1]);
    }

    #[test]
    fn a_stream_queues_no_more_than_it_may_and_nothing_once_it_is_closed() {
        let mut queues = SendQueues::new(4);
        queues.open(1);
        queues.push(1, Bytes::from_static(b"abc")).unwrap();
        let full = SendError::Full {
            stream: 1,
            queued: 3,
            limit: 4,
        };
        assert_eq!(queues.push(1, Bytes::from_static(b"de")), Err(full));
        queues.close(1);
        let closed = queues.push(1, Bytes::new());
        assert_eq!((closed, queues.queued(1)), (Err(SendError::Closed(1)), 0));
    }
}
