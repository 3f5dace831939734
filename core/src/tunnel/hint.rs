//! `Hint`: addresses of further peers that a tab's peers named (BEP 11, `x.pe` of BEP 9).

use std::net::SocketAddr;

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::{Reader, put_socket_addr};

/// The maximum number of addresses in a `Hint`: 50, as in a peer exchange message.
pub const MAX_HINTS: usize = 50;

/// Encodes the first [`MAX_HINTS`] addresses.
pub(super) fn write(addrs: &[SocketAddr], out: &mut BytesMut) {
    let addrs = addrs.get(..MAX_HINTS).unwrap_or(addrs);
    out.put_u16(u16::try_from(addrs.len()).unwrap_or(0));
    addrs.iter().for_each(|addr| put_socket_addr(out, *addr));
}

pub(super) fn read(mut r: Reader) -> Result<Vec<SocketAddr>, Fault> {
    let count = usize::from(r.u16()?);
    if count > MAX_HINTS {
        return Err(r.fault());
    }
    let addrs = (0..count)
        .map(|_| r.socket_addr())
        .collect::<Result<_, _>>()?;
    r.end()?;
    Ok(addrs)
}
