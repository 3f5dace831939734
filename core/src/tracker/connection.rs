//! Connection ids of BEP 15: proof that the asker receives at the address it sends from. Nothing
//! is kept for them.

use std::net::IpAddr;

use crate::net::as_v6;
use crate::siphash::SipHash;
use crate::types::Instant;

/// The length of a time span in microseconds. An id is valid during the span in which it was made
/// and the next one, which is two to four minutes. BEP 15 requires at least two.
const SPAN: u64 = 120_000_000;

#[derive(Debug)]
pub(super) struct Connections {
    hash: SipHash<2, 4>,
}

impl Connections {
    pub(super) const fn new(key: [u64; 2]) -> Self {
        Self {
            hash: SipHash::new(key),
        }
    }

    /// The id for this address. Ports are not included, since NAT may change them.
    pub(super) fn make(&self, now: Instant, ip: IpAddr) -> u64 {
        self.of_span(now.as_micros() / SPAN, ip)
    }

    pub(super) fn knows(&self, now: Instant, ip: IpAddr, id: u64) -> bool {
        let span = now.as_micros() / SPAN;
        // Both are always computed, so that the time taken does not depend on the id.
        let [this, last] = [span, span.wrapping_sub(1)].map(|span| self.of_span(span, ip) ^ id);
        this.min(last) == 0
    }

    fn of_span(&self, span: u64, ip: IpAddr) -> u64 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&as_v6(ip).octets());
        bytes[16..].copy_from_slice(&span.to_le_bytes());
        self.hash.hash(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_good_for_its_address_and_for_two_to_four_minutes() {
        let connections = Connections::new([1, 2]);
        let at = |seconds: u64| Instant(seconds * 1_000_000);
        let [one, other]: [IpAddr; 2] = ["1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap()];
        let id = connections.make(at(119), one);
        assert!(
            connections.knows(at(119), one, id)
                && connections.knows(at(239), "::ffff:1.2.3.4".parse().unwrap(), id)
        );
        assert!(
            !connections.knows(at(240), one, id)
                && !connections.knows(at(119), other, id)
                && !connections.knows(at(119), one, id ^ 1)
        );
        assert!(
            !Connections::new([1, 3]).knows(at(119), one, id),
            "another tracker's"
        );
    }
}
