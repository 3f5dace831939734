//! Our own public address, as others see it: trackers (BEP 24) and peers (`yourip` of BEP 10). Each
//! household has one vote, and the most win.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::{ip_network, is_local};

/// Votes remembered; the oldest goes first.
const VOTES: usize = 32;

/// What others say our address is. Believed only for order among equals (BEP 40): a lie costs
/// little.
#[derive(Debug, Default)]
pub(crate) struct ExternalAddress {
    /// Who said it (`None`: the driver), and what.
    votes: VecDeque<(Option<IpAddr>, IpAddr)>,
}

impl ExternalAddress {
    /// The driver says what a tracker or the DHT said.
    pub(crate) fn told(&mut self, ip: IpAddr) {
        self.vote(None, ip);
    }

    /// A peer at `voter` says so.
    pub(crate) fn told_by(&mut self, voter: IpAddr, ip: IpAddr) {
        // Who is in our own network sees an address that nobody else does.
        if !is_local(voter) {
            self.vote(Some(ip_network(voter)), ip);
        }
    }

    /// What most say, of this family.
    pub(crate) fn of_family(&self, v6: bool) -> Option<IpAddr> {
        let said = || {
            self.votes
                .iter()
                .map(|(_, ip)| *ip)
                .filter(|ip| ip.is_ipv6() == v6)
        };
        said().max_by_key(|ip| (said().filter(|other| other == ip).count(), *ip))
    }

    fn vote(&mut self, voter: Option<IpAddr>, ip: IpAddr) {
        let ip = ip.to_canonical();
        if ip.is_unspecified() || ip.is_multicast() || is_local(ip) {
            return;
        }
        self.votes
            .retain(|(other, said)| *other != voter || said.is_ipv6() != ip.is_ipv6());
        if self.votes.len() >= VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back((voter, ip));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_address_that_most_households_see_is_ours() {
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
        external.told(ip("192.168.1.2"));
        external.told(ip("0.0.0.0"));
        external.told_by(ip("10.0.0.1"), ip("45.0.0.1"));
        assert_eq!(external.of_family(false), None);
    }

    #[test]
    fn votes_are_bounded() {
        let mut external = ExternalAddress::default();
        for n in 0..1000u32 {
            external.told_by(
                IpAddr::from((0x0800_0000 + n).to_be_bytes()),
                ip("45.0.0.1"),
            );
        }
        assert_eq!(external.votes.len(), VOTES);
    }
}
