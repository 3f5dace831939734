//! All connections after the handshake.

use std::collections::HashMap;
use std::net::IpAddr;

use aqueduct_core::CloseReason;
use aqueduct_core::types::ConnId;
use aqueduct_core::wire::Message;
use tokio::io::Interest;

use super::conn::Conn;
use super::slab::Slabs;
use crate::transport::PeerStream;

/// The connections, and those with queued data.
///
/// A connection that fails is dropped here; the reason is returned for the engine.
#[derive(Debug, Default)]
pub(super) struct Connections {
    conns: HashMap<ConnId, Conn<PeerStream>>,
    /// Connections with queued data.
    unwritten: Vec<ConnId>,
    slabs: Slabs,
    accepted: u64,
}

impl Connections {
    /// A new number for a connection that the remote opened.
    pub(super) fn accept(&mut self) -> ConnId {
        let id = ConnId::accepted(self.accepted);
        self.accepted += 1;
        id
    }

    /// Adds a connection, and passes on the messages that came with its handshake.
    pub(super) fn insert(
        &mut self,
        id: ConnId,
        mut conn: Conn<PeerStream>,
        take: impl FnMut(Message),
    ) -> Result<(), CloseReason> {
        conn.understand(take)?;
        self.conns.insert(id, conn);
        Ok(())
    }

    /// What the socket must be ready for; `None`: the connection is gone.
    pub(super) fn interest(&self, id: ConnId) -> Option<Interest> {
        self.conns.get(&id).map(Conn::interest)
    }

    /// Reads at most one turn's worth and passes each message on. Returns whether there may be
    /// more.
    pub(super) fn read(
        &mut self,
        id: ConnId,
        take: impl FnMut(Message),
    ) -> Result<bool, CloseReason> {
        let Some(conn) = self.conns.get_mut(&id) else {
            return Ok(false);
        };
        let read = conn.read(&mut self.slabs, take);
        if read.is_err() {
            self.conns.remove(&id);
        }
        read
    }

    /// Queues a message, to be written by the next [`Connections::write`].
    pub(super) fn send(&mut self, id: ConnId, message: &Message) {
        let writable = self
            .conns
            .get_mut(&id)
            .is_some_and(|conn| conn.push(message));
        if writable && self.unwritten.last() != Some(&id) {
            self.unwritten.push(id);
        }
    }

    /// The socket takes bytes again.
    pub(super) fn unblock(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.unblock();
            self.unwritten.push(id);
        }
    }

    /// Writes what was queued since the last call, and tells `report` the bytes written for each
    /// connection, or why it failed. Returns whether anything was to be written.
    pub(super) fn write(
        &mut self,
        mut report: impl FnMut(ConnId, Result<u64, CloseReason>),
    ) -> bool {
        let ids = std::mem::take(&mut self.unwritten);
        for &id in &ids {
            let Some(conn) = self.conns.get_mut(&id) else {
                continue;
            };
            let written = conn.write();
            if written.is_err() {
                self.conns.remove(&id);
            }
            if written != Ok(0) {
                report(id, written);
            }
        }
        !ids.is_empty()
    }

    /// Those whose interface or address is gone; `present`: the addresses of all interfaces.
    pub(super) fn orphaned(&self, present: &[IpAddr]) -> Vec<ConnId> {
        let conns = self.conns.iter();
        conns
            .filter(|(_, conn)| conn.stream().is_orphaned(present))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) fn remove(&mut self, id: ConnId) {
        self.conns.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use aqueduct_core::connection::Encryption;
    use aqueduct_core::types::{InfoHashV1, PeerId};
    use aqueduct_core::wire::{Handshake, Reserved};
    use tokio::net::TcpListener;

    use super::*;
    use crate::dial::{self, Ways};
    use crate::net::Bind;
    use crate::transport::ByteStream as _;

    const ID: ConnId = ConnId::accepted(0);

    /// Two ends of one connection, each in a set of its own, with their sockets.
    async fn connected() -> [(Connections, Rc<PeerStream>); 2] {
        let ours = Handshake {
            reserved: Reserved::OURS,
            info_hash: InfoHashV1([1; 20]),
            peer_id: PeerId([2; 20]),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = PeerStream::from(stream);
            dial::accept(stream, Encryption::Allow, async { Ok(()) }, |_| Some(ours)).await
        };
        let ways = Ways::tcp(Bind::default());
        let dial = dial::connect(addr, &ways, Encryption::Off, ours);
        let (dialled, accepted) = tokio::join!(dial, accept);
        [dialled.unwrap(), accepted.unwrap()].map(|peer| {
            let (mut connections, mut stream) = (Connections::default(), None);
            let conn = Conn::new(peer, |socket| {
                stream = Some(socket.stream);
                tokio::spawn(async {}).abort_handle()
            });
            connections.insert(ID, conn, |_| {}).unwrap();
            (connections, stream.unwrap())
        })
    }

    #[tokio::test]
    async fn queued_messages_are_written_together_and_read_by_the_other_side() {
        let [(mut ours, _stream), (mut theirs, stream)] = connected().await;
        ours.send(ID, &Message::Unchoke);
        ours.send(ID, &Message::Have(7));
        let mut written = Vec::new();
        assert!(ours.write(|id, result| written.push((id, result))));
        assert_eq!(written, [(ID, Ok(14))]);
        assert!(!ours.write(|_, _| {}));
        stream.ready(Interest::READABLE).await.unwrap();
        let mut received = Vec::new();
        theirs.read(ID, |message| received.push(message)).unwrap();
        assert_eq!(received, [Message::Unchoke, Message::Have(7)]);
    }

    #[tokio::test]
    async fn a_connection_that_the_remote_closed_is_dropped_and_its_reason_returned() {
        let [(mut ours, stream), (theirs, _)] = connected().await;
        drop(theirs);
        stream.ready(Interest::READABLE).await.unwrap();
        assert_eq!(ours.read(ID, |_| {}), Err(CloseReason::Remote));
        assert_eq!(ours.interest(ID), None);
        assert_eq!(ours.read(ID, |_| {}), Ok(false));
    }
}
