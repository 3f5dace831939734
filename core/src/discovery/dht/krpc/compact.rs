//! Compact node info: 20 bytes of id and a compact address (BEP 5, 32).

use crate::discovery::dht::id::{Contact, NodeId};
use crate::net::compact;

/// The length of a compact node in bytes, for IPv4 and for IPv6.
pub(in crate::discovery::dht) const NODE_V4: usize = 20 + compact::LEN_V4;
pub(in crate::discovery::dht) const NODE_V6: usize = 20 + compact::LEN_V6;

/// Appends a node.
pub(in crate::discovery::dht) fn put_contact(out: &mut Vec<u8>, contact: &Contact) {
    out.extend(contact.id.0);
    compact::write(out, contact.addr);
}

/// Decodes nodes of `length` bytes each. An incomplete one at the end is ignored.
pub(in crate::discovery::dht) fn read_contacts(
    bytes: &[u8],
    length: usize,
) -> impl Iterator<Item = Contact> {
    bytes.chunks_exact(length).filter_map(|chunk| {
        let (id, addr) = chunk.split_first_chunk::<20>()?;
        Some(Contact {
            id: NodeId(*id),
            addr: compact::read(addr)?,
        })
    })
}
