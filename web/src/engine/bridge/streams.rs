//! The peers of this tab: streams of the tunnel on one side, connections of the engine on the
//! other.

use std::collections::BTreeMap;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::ConnId;
use aqueduct_core::wire::{Message, WireError};
use bytes::{Bytes, BytesMut};

/// Room made at a time for what a stream receives: messages are slices of it. Some blocks' worth,
/// so that making room is rare; not more, because one late block keeps all of it alive.
const SLAB: usize = 256 * 1024;

/// All open streams. Both directions of the mapping always agree.
#[derive(Default)]
pub(crate) struct Streams {
    by_stream: BTreeMap<u32, Stream>,
    by_conn: BTreeMap<ConnId, u32>,
    opened: u64,
}

struct Stream {
    conn: ConnId,
    connection: Connection,
    received: BytesMut,
}

impl Streams {
    /// A new stream; returns what the engine shall call it.
    pub(crate) fn open(&mut self, stream: u32) -> ConnId {
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

    /// Takes in bytes of a stream; [`Streams::next`] says what they mean.
    pub(crate) fn feed(&mut self, stream: u32, bytes: &[u8]) {
        if let Some(stream) = self.by_stream.get_mut(&stream) {
            if stream.received.capacity() - stream.received.len() < bytes.len() {
                stream.received.reserve(bytes.len().max(SLAB));
            }
            stream.received.extend_from_slice(bytes);
        }
    }

    /// The next message of a stream, if all of it is there.
    pub(crate) fn next(&mut self, stream: u32) -> Option<(ConnId, Result<Message, WireError>)> {
        let stream = self.by_stream.get_mut(&stream)?;
        match stream.connection.poll_event(&mut stream.received) {
            Ok(Some(Event::Message(message))) => Some((stream.conn, Ok(message))),
            Ok(_) => None,
            Err(error) => Some((stream.conn, Err(error))),
        }
    }

    /// What the engine calls a stream.
    pub(crate) fn conn(&self, stream: u32) -> Option<ConnId> {
        self.by_stream.get(&stream).map(|stream| stream.conn)
    }

    /// The stream of a connection, and a message as the bytes that go out on it.
    pub(crate) fn encode(
        &mut self,
        conn: ConnId,
        message: &Message,
    ) -> Option<(u32, Bytes, Option<Bytes>)> {
        let number = *self.by_conn.get(&conn)?;
        let connection = &mut self.by_stream.get_mut(&number)?.connection;
        connection.send(message);
        Some((number, connection.poll_part()?, connection.poll_part()))
    }

    /// The engine ended a connection; returns its stream.
    pub(crate) fn close_conn(&mut self, conn: ConnId) -> Option<u32> {
        let stream = self.by_conn.remove(&conn)?;
        self.by_stream.remove(&stream);
        Some(stream)
    }

    /// A stream ended; returns its connection.
    pub(crate) fn close_stream(&mut self, stream: u32) -> Option<ConnId> {
        let conn = self.by_stream.remove(&stream)?.conn;
        self.by_conn.remove(&conn);
        Some(conn)
    }

    /// All streams ended at once; returns their connections.
    pub(crate) fn close_all(&mut self) -> Vec<ConnId> {
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
        streams.feed(7, first);
        assert!(streams.next(7).is_none());
        streams.feed(7, second);
        assert_eq!(streams.next(7), Some((conn, Ok(Message::Have(5)))));
        assert!(streams.next(7).is_none());
    }

    #[test]
    fn a_closed_stream_is_unknown_from_both_sides() {
        let mut streams = Streams::default();
        let (one, two) = (streams.open(1), streams.open(2));
        assert_eq!(streams.close_conn(one), Some(1));
        assert_eq!(streams.close_stream(1), None);
        assert_eq!(streams.close_stream(2), Some(two));
        assert!(streams.encode(two, &Message::Choke).is_none());
    }
}
