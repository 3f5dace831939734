//! Our public address, as reported by trackers (BEP 24) and peers (`yourip` of BEP 10). Each
//! network has one vote; the address with the most votes is used.

use std::net::IpAddr;

use super::votes::Votes;
use super::{ip_network, is_local};

/// The number of votes that are kept.
const VOTES: usize = 32;

/// Our public address by majority. It only affects peer priorities (BEP 40), so a false report does
/// little harm.
#[derive(Debug)]
pub(crate) struct ExternalAddress {
    /// Votes by the voter's network; `None` is the driver.
    votes: Votes<Option<IpAddr>>,
}

impl Default for ExternalAddress {
    fn default() -> Self {
        Self {
            votes: Votes::new(VOTES),
        }
    }
}

impl ExternalAddress {
    /// The driver reports an address from a tracker or the DHT.
    pub(crate) fn add_report(&mut self, ip: IpAddr) {
        self.vote(None, ip);
    }

    /// A peer at `voter` reports an address.
    pub(crate) fn add_vote(&mut self, voter: IpAddr, ip: IpAddr) {
        // A peer in our own network sees an address that is not public.
        if !is_local(voter) {
            self.vote(Some(ip_network(voter)), ip);
        }
    }

    /// The address of this family with the most votes.
    pub(crate) fn of_family(&self, v6: bool) -> Option<IpAddr> {
        self.votes.most(v6)
    }

    fn vote(&mut self, voter: Option<IpAddr>, ip: IpAddr) {
        if !ip.to_canonical().is_multicast() && !is_local(ip) {
            self.votes.add(voter, ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_address_that_most_networks_see_is_ours() {
        let mut external = ExternalAddress::default();
        assert_eq!(external.of_family(false), None);
        external.add_vote(ip("8.8.8.8"), ip("45.0.0.9"));
        external.add_vote(ip("8.8.8.8"), ip("45.0.0.9"));
        external.add_vote(ip("9.9.9.9"), ip("45.0.0.1"));
        external.add_report(ip("::ffff:45.0.0.1"));
        external.add_vote(ip("9.9.9.8"), ip("2001:db8::1"));
        assert_eq!(external.of_family(false), Some(ip("45.0.0.1")));
        assert_eq!(external.of_family(true), Some(ip("2001:db8::1")));
    }

    #[test]
    fn a_private_address_is_not_ours_and_a_neighbour_does_not_know() {
        let mut external = ExternalAddress::default();
        for inside in ["192.168.1.2", "100.64.0.1", "0.0.0.0", "224.0.0.1"] {
            external.add_report(ip(inside));
        }
        external.add_vote(ip("10.0.0.1"), ip("45.0.0.1"));
        assert_eq!(external.of_family(false), None);
    }
}
