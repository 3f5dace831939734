//! Our own public address, as others see it: trackers (BEP 24) and peers (`yourip` of BEP 10). Each
//! network has one vote, and the most win.

use std::net::IpAddr;

use super::votes::Votes;
use super::{ip_network, is_local};

/// Votes that are remembered.
const VOTES: usize = 32;

/// What others say our address is. Believed only for the order among equals (BEP 40): a lie costs
/// little.
#[derive(Debug)]
pub(crate) struct ExternalAddress {
    /// Voters by network; `None`: the driver.
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
    /// The driver says what a tracker or the DHT said.
    pub(crate) fn told(&mut self, ip: IpAddr) {
        self.vote(None, ip);
    }

    /// A peer at `voter` says so.
    pub(crate) fn told_by(&mut self, voter: IpAddr, ip: IpAddr) {
        // A peer in our own network sees an address that nobody else does.
        if !is_local(voter) {
            self.vote(Some(ip_network(voter)), ip);
        }
    }

    /// What most say, of this family.
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
        external.told_by(ip("8.8.8.8"), ip("45.0.0.9"));
        external.told_by(ip("8.8.8.8"), ip("45.0.0.9"));
        external.told_by(ip("9.9.9.9"), ip("45.0.0.1"));
        external.told(ip("::ffff:45.0.0.1"));
        external.told_by(ip("9.9.9.8"), ip("2001:db8::1"));
        assert_eq!(external.of_family(false), Some(ip("45.0.0.1")));
        assert_eq!(external.of_family(true), Some(ip("2001:db8::1")));
    }

    #[test]
    fn a_private_address_is_not_ours_and_a_neighbour_does_not_know() {
        let mut external = ExternalAddress::default();
        for inside in ["192.168.1.2", "100.64.0.1", "0.0.0.0", "224.0.0.1"] {
            external.told(ip(inside));
        }
        external.told_by(ip("10.0.0.1"), ip("45.0.0.1"));
        assert_eq!(external.of_family(false), None);
    }
}
