//! Reads the fields of one frame's payload; every short read is the sender's fault.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::Fault;
use super::frame::{Frame, Kind};

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

    /// What to say when a field makes no sense.
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

    /// A u8 that is 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.fault()),
        }
    }

    /// A u16 length of at most `limit`, then so many bytes.
    pub(super) fn bytes(&mut self, limit: usize) -> Result<Bytes, Fault> {
        let length = usize::from(self.u16()?);
        if length > limit || length > self.rest.len() {
            return Err(self.fault());
        }
        Ok(self.rest.split_to(length))
    }

    /// Family (4 or 6), address, port.
    pub(super) fn addr(&mut self) -> Result<SocketAddr, Fault> {
        let ip = match self.u8()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(self.fault()),
        };
        Ok(SocketAddr::new(ip, self.u16()?))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Fault> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.fault())
        }
    }
}

/// A u16 length and the bytes; more than 65,535 are cut.
pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(bytes.get(..usize::from(length)).unwrap_or(bytes));
}

/// Family (4 or 6), address, port.
pub(super) fn put_addr(out: &mut BytesMut, addr: SocketAddr) {
    match addr.ip() {
        IpAddr::V4(ip) => {
            out.put_u8(4);
            out.put_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(6);
            out.put_slice(&ip.octets());
        }
    }
    out.put_u16(addr.port());
}
