//! Datagrams that wait for permission to be sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aqueduct_core::discovery::QueryId;
use bytes::Bytes;

/// At most one datagram per request: a later one replaces an unsent one.
#[derive(Debug, Default)]
pub(super) struct Outbox(BTreeMap<QueryId, (SocketAddr, Bytes)>);

impl Outbox {
    /// Stores a datagram. Returns whether permission must be requested for this address and
    /// request.
    pub(super) fn put(&mut self, id: QueryId, to: SocketAddr, bytes: Bytes) -> bool {
        let before = self.0.insert(id, (to, bytes));
        before.is_none_or(|(waits_for, _)| waits_for != to)
    }

    /// Removes the datagram for this address.
    pub(super) fn take(&mut self, id: QueryId, to: SocketAddr) -> Option<Bytes> {
        if self.0.get(&id)?.0 != to {
            return None;
        }
        self.0.remove(&id).map(|(_, bytes)| bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_datagram_takes_the_place_of_one_that_was_not_sent() {
        let (mut outbox, id) = (Outbox::default(), QueryId(1));
        let [here, there]: [SocketAddr; 2] =
            ["192.0.2.1:1", "192.0.2.2:1"].map(|addr| addr.parse().unwrap());
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert!(outbox.put(id, here, bytes("a")) && !outbox.put(id, here, bytes("b")));
        assert!(
            outbox.put(id, there, bytes("c")),
            "elsewhere another leave is needed"
        );
        assert_eq!(
            (
                outbox.take(id, here),
                outbox.take(id, there),
                outbox.take(id, there)
            ),
            (None, Some(bytes("c")), None)
        );
    }
}
