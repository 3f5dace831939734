//! The messages of `ut_holepunch` (BEP 55).

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use crate::net::compact;

/// The address families on the wire.
const IPV4: u8 = 0;
const IPV6: u8 = 1;

/// A message of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holepunch {
    /// Type 0: requests an introduction to the peer at this address.
    Rendezvous(SocketAddr),
    /// Type 1: the peer at this address is ready; connect to it now, over uTP.
    Connect(SocketAddr),
    /// Type 2: the introduction to the peer at this address failed.
    Error(SocketAddr, HolepunchError),
}

/// Why an introduction failed, with the error code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HolepunchError {
    /// The address is not usable.
    NoSuchPeer = 1,
    /// The relaying peer is not connected to that peer.
    NotConnected = 2,
    /// That peer does not support the extension.
    NoSupport = 3,
    /// The address is the relaying peer's own; libtorrent and Aqueduct also say so if it is that of
    /// the requesting peer.
    NoSelf = 4,
}

impl Holepunch {
    /// Decodes a payload. `None` if the type, the address family or the error is unknown, or the
    /// payload is too short. The error code may be absent from messages other than errors, and
    /// trailing bytes are ignored.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let [kind, family, rest @ ..] = payload else {
            return None;
        };
        let length = match *family {
            IPV4 => compact::LEN_V4,
            IPV6 => compact::LEN_V6,
            _ => return None,
        };
        let (addr, rest) = rest.split_at_checked(length)?;
        let addr = compact::read(addr)?;
        match kind {
            0 => Some(Self::Rendezvous(addr)),
            1 => Some(Self::Connect(addr)),
            2 => {
                let error = HolepunchError::from_code(*rest.first_chunk()?)?;
                Some(Self::Error(addr, error))
            }
            _ => None,
        }
    }

    /// Encodes the payload: 12 bytes, or 24 for an IPv6 address. The error code is always included;
    /// 0 if there is none.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (kind, addr, code) = match *self {
            Self::Rendezvous(addr) => (0, addr, 0),
            Self::Connect(addr) => (1, addr, 0),
            Self::Error(addr, error) => (2, addr, error as u32),
        };
        let mut out = BytesMut::new();
        out.put_u8(kind);
        out.put_u8(if addr.is_ipv4() { IPV4 } else { IPV6 });
        compact::write(&mut out, addr);
        out.put_u32(code);
        out.freeze()
    }
}

impl HolepunchError {
    fn from_code(code: [u8; 4]) -> Option<Self> {
        let all = [
            Self::NoSuchPeer,
            Self::NotConnected,
            Self::NoSupport,
            Self::NoSelf,
        ];
        all.into_iter()
            .find(|error| (*error as u32).to_be_bytes() == code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_wire_form_is_that_of_bep_55() {
        let error = Holepunch::Error(addr("1.2.3.4:258"), HolepunchError::NoSupport);
        assert_eq!(error.encode()[..], [2, 0, 1, 2, 3, 4, 1, 2, 0, 0, 0, 3]);
        let six = Holepunch::Rendezvous(addr("[::5]:1"));
        assert_eq!(six.encode().len(), 2 + 16 + 2 + 4);
        for message in [error, six, Holepunch::Connect(addr("1.2.3.4:5"))] {
            assert_eq!(Holepunch::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn a_message_of_libtorrent_which_omits_the_code_is_read() {
        let decode = |kind| Holepunch::decode(&[kind, 0, 1, 2, 3, 4, 1, 2]);
        assert_eq!(decode(0), Some(Holepunch::Rendezvous(addr("1.2.3.4:258"))));
        assert_eq!(decode(1), Some(Holepunch::Connect(addr("1.2.3.4:258"))));
        assert_eq!(decode(2), None, "an error without its code");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_mean_one_thing(
            bytes in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            if let Some(message) = Holepunch::decode(&bytes) {
                prop_assert_eq!(Holepunch::decode(&message.encode()), Some(message));
            }
        }

        #[test]
        fn every_message_is_read_as_it_was_written(at in any::<SocketAddr>(), kind in 0..6u8) {
            // The wire has no scope and no flow.
            let at = SocketAddr::new(at.ip(), at.port());
            let message = match kind {
                0 => Holepunch::Rendezvous(at),
                1 => Holepunch::Connect(at),
                2 => Holepunch::Error(at, HolepunchError::NoSuchPeer),
                3 => Holepunch::Error(at, HolepunchError::NotConnected),
                4 => Holepunch::Error(at, HolepunchError::NoSupport),
                _ => Holepunch::Error(at, HolepunchError::NoSelf),
            };
            prop_assert_eq!(Holepunch::decode(&message.encode()), Some(message));
        }
    }
}
