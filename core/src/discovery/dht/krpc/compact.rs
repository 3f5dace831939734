//! Addresses as the DHT writes them: 6 or 18 bytes a peer, with 20 bytes of id before them a node
//! (BEP 5, 32).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::discovery::dht::id::{Contact, NodeId};

/// Bytes of a node, IPv4 and IPv6.
pub(in crate::discovery::dht) const NODE_V4: usize = 26;
pub(in crate::discovery::dht) const NODE_V6: usize = 38;

/// Appends an address: 4 or 16 bytes and the port.
pub(in crate::discovery::dht) fn put_addr(out: &mut Vec<u8>, addr: SocketAddr) {
    match addr.ip() {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
    out.extend(addr.port().to_be_bytes());
}

/// Appends a node.
pub(in crate::discovery::dht) fn put_contact(out: &mut Vec<u8>, contact: &Contact) {
    out.extend(contact.id.0);
    put_addr(out, contact.addr);
}

/// Reads an address of 6 or 18 bytes.
pub(in crate::discovery::dht) fn read_addr(bytes: &[u8]) -> Option<SocketAddr> {
    match *bytes {
        [a, b, c, d, high, low] => Some(SocketAddr::new(
            Ipv4Addr::new(a, b, c, d).into(),
            u16::from_be_bytes([high, low]),
        )),
        [ref ip @ .., high, low] => {
            let ip: [u8; 16] = ip.try_into().ok()?;
            Some(SocketAddr::new(
                Ipv6Addr::from(ip).into(),
                u16::from_be_bytes([high, low]),
            ))
        }
        _ => None,
    }
}

/// Reads nodes of `length` bytes each; a torn one at the end is dropped.
pub(in crate::discovery::dht) fn read_contacts(
    bytes: &[u8],
    length: usize,
) -> impl Iterator<Item = Contact> {
    bytes.chunks_exact(length).filter_map(|chunk| {
        let (id, addr) = chunk.split_first_chunk::<20>()?;
        Some(Contact {
            id: NodeId(*id),
            addr: read_addr(addr)?,
        })
    })
}
