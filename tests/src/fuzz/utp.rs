//! Datagrams of uTP, and a socket among strangers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::utp::{Config, ConnectionId, Event, Header, Kind, Packet, Read, Resets, Socket};

use super::switch;

/// A decoded header is the same after encoding and decoding. Only a datagram that starts a
/// connection is answered, and the answer is never longer.
pub(super) fn packet(data: &[u8]) {
    let packet = Packet::parse(data);
    if let Ok(Packet {
        header,
        selective,
        payload,
    }) = packet
    {
        let mut written = Vec::new();
        header.write(selective, payload, &mut written);
        assert_eq!(Packet::parse(&written), packet);
    }
    let answer = Resets::new().answer(Instant::ZERO, ([11, 0, 0, 1], 6881).into(), data);
    let is_syn =
        packet.is_ok_and(|packet| packet.header.kind == Kind::Syn && packet.payload.is_empty());
    assert_eq!(answer.is_some(), is_syn);
    assert!(answer.is_none() || data.len() >= Header::LENGTH);
}

/// A socket, its application, and strangers who see what it sends to them.
struct Scene {
    socket: Socket,
    now: Instant,
    connections: Vec<ConnectionId>,
    /// The last header that each stranger got.
    seen: BTreeMap<SocketAddr, Header>,
    /// Bytes from and to each stranger as long as no connection is open with it.
    received: BTreeMap<SocketAddr, usize>,
    sent: BTreeMap<SocketAddr, usize>,
    proven: Vec<SocketAddr>,
}

/// Small buffers, so that their limits are met.
const CONFIG: Config = Config {
    max_connections: 4,
    receive_buffer: 4000,
    first_receive_buffer: 4000,
    send_buffer: 3000,
    target_delay: Duration::from_millis(100),
    max_datagram_v4: 1472,
    max_datagram_v6: 1452,
};

/// Each byte is a step of the application or of a stranger. Whatever they do, no stranger who has
/// not shown that it receives at its address gets more than it sent, nothing is sent without end,
/// and there are never more connections than may be.
pub(super) fn socket(mut data: &[u8]) {
    let mut scene = Scene {
        socket: Socket::new(CONFIG, [7; 32]),
        now: Instant::ZERO,
        connections: Vec::new(),
        seen: BTreeMap::new(),
        received: BTreeMap::new(),
        sent: BTreeMap::new(),
        proven: Vec::new(),
    };
    while !data.is_empty() {
        scene.step(&mut data);
        scene.settle();
    }
}

impl Scene {
    fn step(&mut self, data: &mut &[u8]) {
        let what = switch(data);
        let number = switch(data);
        let stranger = SocketAddr::from(([11, 0, 0, what >> 4], 6881));
        let id = self.connections.get(usize::from(number)).copied();
        match (what % 11, id) {
            (0, _) => self.pass(Duration::from_millis(u64::from(number))),
            (1, _) => self.pass(Duration::from_secs(u64::from(number))),
            (2, _) => {
                if self.socket.connect(self.now, stranger).is_ok() {
                    self.proven.push(stranger);
                }
            }
            (3, Some(id)) => {
                let bytes = vec![what; usize::from(switch(data)) * 16];
                let _ = self.socket.write(id, &bytes);
            }
            (4, Some(id)) => {
                let limit = usize::from(switch(data)) + 1;
                if let Ok(Read::Bytes(bytes)) = self.socket.read(id, limit) {
                    assert!(!bytes.is_empty() && bytes.len() <= limit);
                }
            }
            (5, Some(id)) => self.socket.finish(id),
            (6, Some(id)) => self.socket.close(self.now, id),
            (7, Some(id)) => self.socket.abort(self.now, id),
            (8, _) => {
                let (datagram, rest) = data.split_at(usize::from(number).min(data.len()));
                *data = rest;
                self.deliver(stranger, datagram);
            }
            _ => {
                let datagram = self.craft(stranger, number, data);
                self.deliver(stranger, &datagram);
            }
        }
    }

    /// A packet that answers what the stranger saw last, or comes near.
    fn craft(&self, stranger: SocketAddr, shape: u8, data: &mut &[u8]) -> Vec<u8> {
        let kinds = [Kind::Data, Kind::Fin, Kind::State, Kind::Reset, Kind::Syn];
        let seen = self.seen.get(&stranger);
        let mut near = |number: u16| {
            let off = i16::from(i8::from_le_bytes([switch(data)]));
            number.wrapping_add_signed(off)
        };
        let header = Header {
            kind: kinds[usize::from(shape) % kinds.len()],
            connection_id: near(seen.map_or(5, |seen| seen.connection_id)),
            sequence: near(seen.map_or(1, |seen| seen.acknowledgement.wrapping_add(1))),
            acknowledgement: near(seen.map_or(0, |seen| seen.sequence)),
            timestamp: u32::from(near(0)) << 8,
            timestamp_difference: u32::from(near(0)) << 8,
            window: u32::from(near(4000)),
        };
        let mut datagram = Vec::new();
        let mask = [switch(data); 8];
        let mask = &mask[..usize::from(shape >> 4 & 1) * 8];
        let payload = vec![shape; usize::from(switch(data)) * usize::from(shape >> 5)];
        header.write(mask, &payload, &mut datagram);
        datagram
    }

    fn deliver(&mut self, from: SocketAddr, datagram: &[u8]) {
        *self.received.entry(from).or_default() += datagram.len();
        let is_utp = self.socket.handle_datagram(self.now, from, datagram);
        assert_eq!(is_utp, Packet::parse(datagram).is_ok());
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        let mut calls = 0;
        while let Some(due) = self.socket.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.socket.handle_timeout(self.now);
            self.settle();
            calls += 1;
            assert!(calls < 10_000, "time does not pass");
        }
        self.now = until;
    }

    fn settle(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                Event::Incoming(id, from) => {
                    self.connections.push(id);
                    self.proven.push(from);
                }
                Event::Connected(id) => self.connections.push(id),
                Event::Readable(_) | Event::Writable(_) => {}
                Event::Closed(id, _) => assert!(self.socket.read(id, 1).is_err()),
            }
        }
        assert!(self.socket.connections() <= CONFIG.max_connections);
        let mut out = Vec::new();
        let mut datagrams = 0;
        while let Some(transmit) = self.socket.poll_transmit(self.now, &mut out) {
            datagrams += 1;
            let out = std::mem::take(&mut out);
            assert!(datagrams < 10_000, "it sends without end");
            assert!(out.len() <= 1472, "{} bytes", out.len());
            let header = Packet::parse(&out).expect("it speaks uTP").header;
            self.seen.insert(transmit.to, header);
            *self.sent.entry(transmit.to).or_default() += out.len();
            let sent = self.sent[&transmit.to];
            let received = self.received.get(&transmit.to).copied();
            assert!(
                self.proven.contains(&transmit.to) || sent <= received.unwrap_or_default(),
                "{sent} bytes to a stranger who sent {received:?}"
            );
        }
    }
}
