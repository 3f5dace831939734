//! The layout of a uTP datagram: a header of 20 bytes, extensions, payload (BEP 29).
//!
//! ```text
//! 0       4       8               16              24              32
//! | type  | ver   | extension     | connection id                 |
//! | timestamp, microseconds                                       |
//! | timestamp difference, microseconds                            |
//! | window, bytes                                                 |
//! | sequence number               | acknowledgement number        |
//! ```

use crate::types::Instant;

/// The only version that is in use.
const VERSION: u8 = 1;
/// Extensions per datagram. BEP 29 defines one; older clients send a second.
const MAX_EXTENSIONS: usize = 8;

/// The extension that acknowledges packets out of order.
const SELECTIVE_ACK: u8 = 1;

/// The type of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ST_DATA`: carries payload.
    Data,
    /// `ST_FIN`: ends its sender's stream.
    Fin,
    /// `ST_STATE`: an acknowledgement without payload.
    State,
    /// `ST_RESET`: ends the connection at once, in both directions.
    Reset,
    /// `ST_SYN`: opens a connection.
    Syn,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Data, Self::Fin, Self::State, Self::Reset, Self::Syn];

    /// Its number on the wire.
    const fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Fin => 1,
            Self::State => 2,
            Self::Reset => 3,
            Self::Syn => 4,
        }
    }
}

/// The fields of a header, without version and extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type.
    pub kind: Kind,
    /// The connection. A SYN carries the id on which its sender receives; every later datagram
    /// carries the id on which its receiver does.
    pub connection_id: u16,
    /// The time of sending by the sender's clock, in microseconds; it wraps around.
    pub timestamp: u32,
    /// The sender's clock minus `timestamp` of the last datagram that it received, in
    /// microseconds; 0: it received none.
    pub timestamp_difference: u32,
    /// Free bytes in the sender's receive buffer.
    pub window: u32,
    /// The number of this datagram. A STATE carries the number that the next DATA or FIN will
    /// have, without using it up.
    pub sequence: u16,
    /// The number of the last datagram that the sender received in order.
    pub acknowledgement: u16,
}

/// Why a datagram is not a valid uTP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The header or an extension is cut off.
    #[error("the datagram ends within its header or an extension")]
    Short,
    /// A version other than 1.
    #[error("the datagram is of version {0}; only version 1 is known")]
    Version(u8),
    /// A type that BEP 29 does not have.
    #[error("the datagram has the type {0}; the last one known is 4")]
    Kind(u8),
    /// Too many extensions.
    #[error("the datagram has more than {MAX_EXTENSIONS} extensions")]
    Extensions,
}

/// A parsed datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: Header,
    /// The bit mask of the selective acknowledgement; empty without one. The lowest bit of the
    /// first byte stands for `acknowledgement + 2`.
    pub selective: &'a [u8],
    /// The bytes after header and extensions.
    pub payload: &'a [u8],
}

impl Header {
    /// Bytes of a header.
    pub const LENGTH: usize = 20;

    /// Appends a datagram with this header to `out`. `selective`: the bit mask of a selective
    /// acknowledgement, of at most 255 bytes; the extension is left out if it is empty.
    pub fn write(&self, selective: &[u8], payload: &[u8], out: &mut Vec<u8>) {
        let mut head = self.encode();
        let length = u8::try_from(selective.len()).unwrap_or_default();
        if length > 0 {
            head[1] = SELECTIVE_ACK;
        }
        out.extend_from_slice(&head);
        if length > 0 {
            out.extend_from_slice(&[0, length]);
            out.extend_from_slice(selective);
        }
        out.extend_from_slice(payload);
    }

    /// A datagram that is this header alone, without extensions and payload.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = self.kind.number() << 4 | VERSION;
        bytes[2..4].copy_from_slice(&self.connection_id.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.timestamp_difference.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.window.to_be_bytes());
        bytes[16..18].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[18..20].copy_from_slice(&self.acknowledgement.to_be_bytes());
        bytes
    }
}

impl<'a> Packet<'a> {
    /// Parses a datagram. Each extension begins with the type of the next one and its own length;
    /// unknown ones are skipped (BEP 29).
    ///
    /// # Errors
    /// The first violation; see [`PacketError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (head, rest) = datagram
            .split_first_chunk::<{ Header::LENGTH }>()
            .ok_or(PacketError::Short)?;
        let [first, extension, rest_of_head @ ..] = head;
        let (kind, version) = (first >> 4, first & 0xf);
        if version != VERSION {
            return Err(PacketError::Version(version));
        }
        let kind = Kind::ALL
            .get(usize::from(kind))
            .copied()
            .ok_or(PacketError::Kind(kind))?;
        let [
            c0,
            c1,
            t0,
            t1,
            t2,
            t3,
            d0,
            d1,
            d2,
            d3,
            w0,
            w1,
            w2,
            w3,
            s0,
            s1,
            a0,
            a1,
        ] = *rest_of_head;
        let header = Header {
            kind,
            connection_id: u16::from_be_bytes([c0, c1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            timestamp_difference: u32::from_be_bytes([d0, d1, d2, d3]),
            window: u32::from_be_bytes([w0, w1, w2, w3]),
            sequence: u16::from_be_bytes([s0, s1]),
            acknowledgement: u16::from_be_bytes([a0, a1]),
        };
        let (selective, payload) = split_extensions(*extension, rest)?;
        Ok(Self {
            header,
            selective,
            payload,
        })
    }
}

/// The selective acknowledgement and the payload. `kind` is the type of the first extension; 0 ends
/// the list.
fn split_extensions(mut kind: u8, mut rest: &[u8]) -> Result<(&[u8], &[u8]), PacketError> {
    let mut selective: &[u8] = &[];
    for _ in 0..=MAX_EXTENSIONS {
        if kind == 0 {
            return Ok((selective, rest));
        }
        let ([next, length], after) = rest.split_first_chunk::<2>().ok_or(PacketError::Short)?;
        let (body, after) = after
            .split_at_checked(usize::from(*length))
            .ok_or(PacketError::Short)?;
        if kind == SELECTIVE_ACK {
            selective = body;
        }
        (kind, rest) = (*next, after);
    }
    Err(PacketError::Extensions)
}

/// Our clock in headers: microseconds, which wrap around.
pub(super) fn clock(now: Instant) -> u32 {
    u32::try_from(now.as_micros() & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    const SYN: Header = Header {
        kind: Kind::Syn,
        connection_id: 0x1234,
        timestamp: 5,
        timestamp_difference: 6,
        window: 7,
        sequence: 1,
        acknowledgement: 0,
    };

    #[test]
    fn a_header_is_laid_out_as_bep_29_says() {
        let bytes = SYN.encode();
        assert_eq!(
            bytes,
            [
                0x41, 0, 0x12, 0x34, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 1, 0, 0
            ]
        );
        assert_eq!(
            Packet::parse(&bytes),
            Ok(Packet {
                header: SYN,
                selective: b"",
                payload: b""
            })
        );
        for kind in Kind::ALL {
            let header = Header { kind, ..SYN };
            assert_eq!(
                Packet::parse(&header.encode()).map(|packet| packet.header),
                Ok(header)
            );
        }
    }

    #[test]
    fn extensions_are_skipped_and_the_payload_is_what_follows() {
        let mut head = SYN.encode();
        head[1] = 2;
        let datagram = [&head[..], &[1, 3, 9, 9, 9], &[0, 0], b"payload"].concat();
        assert_eq!(Packet::parse(&datagram).unwrap().payload, b"payload");
    }

    #[test]
    fn a_selective_acknowledgement_is_written_and_read() {
        let mut datagram = Vec::new();
        SYN.write(&[1, 2, 3, 4], b"payload", &mut datagram);
        assert_eq!(datagram[1], 1);
        assert_eq!(datagram[20..26], [0, 4, 1, 2, 3, 4]);
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(packet.selective, [1, 2, 3, 4]);
        assert_eq!(packet.payload, b"payload");
    }

    #[test]
    fn an_error_names_what_is_not_utp() {
        let with = |at: usize, byte: u8| {
            let mut bytes = SYN.encode();
            bytes[at] = byte;
            bytes
        };
        assert_eq!(Packet::parse(&SYN.encode()[..19]), Err(PacketError::Short));
        assert_eq!(Packet::parse(&with(0, 0x40)), Err(PacketError::Version(0)));
        assert_eq!(Packet::parse(&with(0, 0x51)), Err(PacketError::Kind(5)));
        assert_eq!(
            Packet::parse(&with(1, 1)),
            Err(PacketError::Short),
            "an extension that is not there"
        );
        assert_eq!(
            Packet::parse(&[&with(1, 1)[..], &[0, 4, 1, 2, 3]].concat()),
            Err(PacketError::Short),
            "an extension that is cut off"
        );
        assert_eq!(
            Packet::parse(&[&with(1, 1)[..], &[1, 0].repeat(100)].concat()),
            Err(PacketError::Extensions)
        );
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_or_refused(datagram in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Packet::parse(&datagram);
        }

        #[test]
        fn a_header_reads_back_as_it_was_written(
            kind in 0..5usize, connection_id: u16, timestamp: u32, timestamp_difference: u32, window: u32, sequence: u16, acknowledgement: u16,
            payload in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let header = Header { kind: Kind::ALL[kind], connection_id, timestamp, timestamp_difference, window, sequence, acknowledgement };
            let datagram = [&header.encode()[..], &payload].concat();
            prop_assert_eq!(Packet::parse(&datagram), Ok(Packet { header, selective: &[], payload: &payload }));
        }
    }
}
