//! Dialling, sending and closing over the transport of a connection: uTP between hosts with a UDP
//! port (`udp`), TCP between all others (`conn`).

use aqueduct_core::DialKind;
use aqueduct_core::types::{ConnId, InfoHashV1, PeerAddr};
use aqueduct_core::wire::Message;

use super::host::HostId;
use super::world::World;

impl World {
    pub(super) fn dial(
        &mut self,
        from: HostId,
        conn: ConnId,
        swarm: InfoHashV1,
        (addr, kind): (PeerAddr, DialKind),
    ) {
        if !self.dial_over_utp(from, conn, swarm, (addr, kind)) {
            self.dial_over_tcp(from, conn, swarm, addr);
        }
    }

    /// Sends a message, or what a bad peer sends in its place.
    pub(super) fn send(&mut self, from: HostId, conn: ConnId, message: Message) {
        let bytes = message.wire_len();
        let is_block = matches!(message, Message::Piece { .. });
        let host = &mut self.hosts[from.0];
        let twisted = host
            .plan
            .misbehavior
            .twist(message, host.blocks_sent, &mut self.rng);
        host.blocks_sent += u32::from(is_block);
        if !self.send_over_utp(from, conn, (twisted.as_ref(), bytes)) {
            self.send_over_tcp(from, conn, twisted, bytes);
        }
    }

    /// An engine closes its connection.
    pub(super) fn close(&mut self, from: HostId, conn: ConnId) {
        if !self.close_over_utp(from, conn) {
            self.close_over_tcp(from, conn);
        }
    }

    /// Makes a host send a message that its engine did not request.
    ///
    /// # Panics
    /// The hosts are not connected.
    pub fn say(&mut self, from: HostId, to: HostId, message: Message) {
        let conns = self.conns(from);
        let is_other = |conn: &&ConnId| {
            self.is_over_tcp(from, **conn, to) || self.is_over_utp(from, **conn, to)
        };
        let conn = conns.iter().find(is_other).copied();
        self.send(from, conn.expect("the two are connected"), message);
    }

    /// All connections of a host.
    pub(super) fn conns(&self, id: HostId) -> Vec<ConnId> {
        let conns = self.hosts[id.0].conns.keys().copied();
        conns.chain(self.utp_conns(id)).collect()
    }
}
