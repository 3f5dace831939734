//! How addresses with ports are written (RFC 1928, sections 4 to 7): kind, address, port.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Destination, Text};

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The number of bytes between the kind of an address and the port; `None`: the kind is unknown.
/// `first`: the first of these bytes, which is the length of a name.
pub(super) fn length(kind: u8, first: u8) -> Option<usize> {
    match kind {
        IPV4 => Some(4),
        IPV6 => Some(16),
        NAME => Some(1 + usize::from(first)),
        _ => None,
    }
}

/// Appends an address and its port.
pub(super) fn put(bytes: &mut Vec<u8>, to: &Destination) {
    let port = match to {
        Destination::Addr(SocketAddr::V4(v4)) => {
            bytes.push(IPV4);
            bytes.extend(v4.ip().octets());
            v4.port()
        }
        Destination::Addr(SocketAddr::V6(v6)) => {
            bytes.push(IPV6);
            bytes.extend(v6.ip().octets());
            v6.port()
        }
        Destination::Name(name, port) => {
            bytes.push(NAME);
            put_text(bytes, name);
            *port
        }
    };
    bytes.extend(port.to_be_bytes());
}

/// Appends a text and its length.
pub(super) fn put_text(bytes: &mut Vec<u8>, Text(text): &Text) {
    // A text has at most 255 bytes.
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend(text.bytes());
}

/// Reads an address and its port, and returns what follows. `None`: it is cut short, of an unknown
/// kind, or a name that is empty or not UTF-8.
pub(super) fn take(bytes: &[u8]) -> Option<(Destination, &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (address, rest) = rest.split_at_checked(length(kind, *rest.first()?)?)?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    let destination = match kind {
        IPV4 => {
            let v4 = Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?);
            SocketAddr::from((v4, port)).into()
        }
        IPV6 => {
            let v6 = Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?);
            SocketAddr::from((v6, port)).into()
        }
        _ => {
            let name = str::from_utf8(address.get(1..)?).ok()?;
            Destination::name(name, port).ok()?
        }
    };
    Some((destination, rest))
}
