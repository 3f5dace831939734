//! Decoding of the fields of a frame's payload. A payload that is too short is a protocol violation
//! of the sender.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::Fault;
use super::frame::{Frame, Kind};
use crate::net::compact;
use crate::types::{PeerAddr, TabId};

/// The first byte of an address, which determines its format.
const TAB: u8 = 0;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// A payload being read.
pub(super) struct Reader {
    kind: Kind,
    rest: Bytes,
}

impl Reader {
    pub(super) fn new(frame: Frame) -> Self {
        Self {
            kind: frame.kind,
            rest: frame.payload,
        }
    }

    /// The fault for an invalid field.
    pub(super) fn fault(&self) -> Fault {
        Fault::Malformed(self.kind)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.rest.try_get_u8().map_err(|_| self.fault())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.rest.try_get_u16().map_err(|_| self.fault())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.rest.try_get_u32().map_err(|_| self.fault())
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.rest.try_get_u64().map_err(|_| self.fault())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.rest
            .try_copy_to_slice(&mut bytes)
            .map_err(|_| self.fault())?;
        Ok(bytes)
    }

    /// A u8 that must be 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.fault()),
        }
    }

    /// A u16 length of at most `limit`, followed by that many bytes.
    pub(super) fn bytes(&mut self, limit: usize) -> Result<Bytes, Fault> {
        let length = usize::from(self.u16()?);
        if length > limit || length > self.rest.len() {
            return Err(self.fault());
        }
        Ok(self.rest.split_to(length))
    }

    /// Family (4 or 6), address, port. The representation is kept, since the bridge refuses some of
    /// them.
    pub(super) fn socket_addr(&mut self) -> Result<SocketAddr, Fault> {
        let family = self.u8()?;
        self.socket_addr_of(family)
    }

    /// As [`Reader::socket_addr`], or 0 and the number of a tab (u64).
    pub(super) fn peer_addr(&mut self) -> Result<PeerAddr, Fault> {
        match self.u8()? {
            TAB => Ok(PeerAddr::Tab(TabId(self.u64()?))),
            family => Ok(self.socket_addr_of(family)?.into()),
        }
    }

    fn socket_addr_of(&mut self, family: u8) -> Result<SocketAddr, Fault> {
        let addr = match family {
            IPV4 => compact::read(&self.array::<{ compact::LEN_V4 }>()?),
            IPV6 => compact::read(&self.array::<{ compact::LEN_V6 }>()?),
            _ => None,
        };
        addr.ok_or(self.fault())
    }

    /// Checks that nothing is left.
    pub(super) fn end(self) -> Result<(), Fault> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.fault())
        }
    }
}

/// A u16 length followed by the bytes, cut to 65,535.
pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(bytes.get(..usize::from(length)).unwrap_or(bytes));
}

/// Family (4 or 6), address, port.
pub(super) fn put_socket_addr(out: &mut BytesMut, addr: SocketAddr) {
    out.put_u8(if addr.is_ipv4() { IPV4 } else { IPV6 });
    compact::write(out, addr);
}

/// As [`put_socket_addr`], or 0 and the number of a tab.
pub(super) fn put_peer_addr(out: &mut BytesMut, addr: PeerAddr) {
    match addr {
        PeerAddr::Ip(addr) => put_socket_addr(out, addr),
        PeerAddr::Tab(TabId(number)) => {
            out.put_u8(TAB);
            out.put_u64(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn reader(payload: BytesMut) -> Reader {
        Reader::new(Frame {
            kind: Kind::Open,
            id: 1,
            payload: payload.freeze(),
        })
    }

    proptest! {
        #[test]
        fn an_ip_address_is_read_in_the_spelling_that_was_sent(addr in any::<SocketAddr>()) {
            let addr = SocketAddr::new(addr.ip(), addr.port());
            let mut out = BytesMut::new();
            put_socket_addr(&mut out, addr);
            prop_assert_eq!(reader(out.clone()).socket_addr(), Ok(addr));
            prop_assert_eq!(reader(out).peer_addr(), Ok(PeerAddr::from(addr)));
        }

        #[test]
        fn a_tab_is_read_as_it_was_written_and_only_where_one_can_be(number in any::<u64>()) {
            let (mut out, tab) = (BytesMut::new(), PeerAddr::Tab(TabId(number)));
            put_peer_addr(&mut out, tab);
            prop_assert_eq!(reader(out.clone()).peer_addr(), Ok(tab));
            prop_assert!(reader(out).socket_addr().is_err());
        }
    }
}
