//! The peer connections of this tab: streams of the tunnel on one side, connections of the engine on
//! the other.

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::{ConnId, SortedMap};
use aqueduct_core::wire::{Message, WireError};
use bytes::{Bytes, BytesMut};

/// The allocation size for received bytes of a stream. Messages are slices of it. Several blocks
/// fit, so that allocations are rare; but not many, since one late block keeps all of it allocated.
const SLAB: usize = 256 * 1024;

/// All open streams. Both directions of the mapping always agree.
#[derive(Default)]
pub(super) struct Streams {
    by_stream: SortedMap<u32, Stream>,
    by_conn: SortedMap<ConnId, u32>,
    opened: u64,
}

struct Stream {
    conn: ConnId,
    connection: Connection,
    received: BytesMut,
}

impl Streams {
    /// Adds a stream whose handshake the bridge has completed. Returns its connection id.
    pub(super) fn open(&mut self, stream: u32) -> ConnId {
        let conn = ConnId::accepted(self.opened);
        self.opened += 1;
        self.by_stream.insert(
            stream,
            Stream {
                conn,
                connection: Connection::established(),
                received: BytesMut::new(),
            },
        );
        self.by_conn.insert(conn, stream);
        conn
    }

    /// Adds `length` received bytes, which `copy` writes, and from which [`Streams::next`] takes
    /// messages.
    pub(super) fn feed(&mut self, stream: u32, length: usize, copy: impl FnOnce(&mut [u8])) {
        if let Some(Stream { received, .. }) = self.by_stream.get_mut(&stream) {
            let start = received.len();
            if received.capacity() - start < length {
                received.reserve(length.max(SLAB));
            }
            received.resize(start + length, 0);
            copy(received.get_mut(start..).unwrap_or_default());
        }
    }

    /// The next complete message of a stream, or the peer's protocol violation.
    pub(super) fn next(&mut self, stream: u32) -> Option<(ConnId, Result<Message, WireError>)> {
        let stream = self.by_stream.get_mut(&stream)?;
        match stream.connection.poll_event(&mut stream.received) {
            Ok(Some(Event::Message(message))) => Some((stream.conn, Ok(message))),
            Ok(_) => None,
            Err(error) => Some((stream.conn, Err(error))),
        }
    }

    /// The connection id of a stream.
    pub(super) fn conn(&self, stream: u32) -> Option<ConnId> {
        self.by_stream.get(&stream).map(|stream| stream.conn)
    }

    /// Encodes a message, whose bytes [`Streams::poll_part`] returns. Returns the stream.
    pub(super) fn send(&mut self, conn: ConnId, message: &Message) -> Option<u32> {
        let stream = *self.by_conn.get(&conn)?;
        self.by_stream.get_mut(&stream)?.connection.send(message);
        Some(stream)
    }

    /// The next bytes to send on a stream, in order; `None` if there are none.
    pub(super) fn poll_part(&mut self, stream: u32) -> Option<Bytes> {
        self.by_stream.get_mut(&stream)?.connection.poll_part()
    }

    /// Removes a connection that the engine closed. Returns its stream.
    pub(super) fn close_conn(&mut self, conn: ConnId) -> Option<u32> {
        let stream = self.by_conn.remove(&conn)?;
        self.by_stream.remove(&stream);
        Some(stream)
    }

    /// Removes a closed stream. Returns its connection.
    pub(super) fn close_stream(&mut self, stream: u32) -> Option<ConnId> {
        let conn = self.by_stream.remove(&stream)?.conn;
        self.by_conn.remove(&conn);
        Some(conn)
    }

    /// Removes all streams. Returns their connections.
    pub(super) fn close_all(&mut self) -> Vec<ConnId> {
        self.by_stream.clear();
        std::mem::take(&mut self.by_conn).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cut_in_two_comes_out_whole_and_once() {
        let mut streams = Streams::default();
        let conn = streams.open(7);
        let mut head = BytesMut::new();
        assert_eq!(Message::Have(5).encode(&mut head), None);
        let (first, second) = head.split_at(6);
        streams.feed(7, first.len(), |out| out.copy_from_slice(first));
        assert!(streams.next(7).is_none());
        streams.feed(7, second.len(), |out| out.copy_from_slice(second));
        assert_eq!(streams.next(7), Some((conn, Ok(Message::Have(5)))));
        assert!(streams.next(7).is_none());
    }

    #[test]
    fn a_message_leaves_on_the_stream_of_its_connection() {
        let mut streams = Streams::default();
        let conn = streams.open(7);
        assert_eq!(streams.send(conn, &Message::Unchoke), Some(7));
        let part = streams.poll_part(7);
        assert_eq!(part.as_deref(), Some(&[0, 0, 0, 1, 1][..]));
        assert_eq!(streams.poll_part(7), None);
    }

    #[test]
    fn a_closed_stream_is_unknown_from_both_sides() {
        let mut streams = Streams::default();
        let (one, two) = (streams.open(1), streams.open(2));
        assert_eq!(streams.close_conn(one), Some(1));
        assert_eq!(streams.close_stream(1), None);
        assert_eq!(streams.close_stream(2), Some(two));
        assert_eq!(streams.send(two, &Message::Choke), None);
    }
}
