//! Our address as seen by other nodes (`ip` in answers, BEP 42).

use std::net::IpAddr;

use super::addr::network;
use crate::net::{self, is_local};

/// The number of votes that are kept.
const REMEMBERED: usize = 24;

/// The number of networks that must agree, so that a malicious node, or a few in one network, have
/// no effect.
const QUORUM: usize = 6;

/// The reports in the last answers, one vote per network.
#[derive(Clone, Debug)]
pub(super) struct Votes(net::Votes<Option<u64>>);

impl Default for Votes {
    fn default() -> Self {
        Self(net::Votes::new(REMEMBERED))
    }
}

impl Votes {
    /// Adds the vote of a node that sees us at `ip`, which is of the family over which it was
    /// queried. All local voters count as one network.
    pub(super) fn add(&mut self, voter: IpAddr, ip: IpAddr) {
        if voter.to_canonical().is_ipv4() == ip.to_canonical().is_ipv4() {
            self.0.add(network(voter), ip);
        }
    }

    /// Our public address, if two thirds of the votes agree.
    pub(super) fn winner(&self) -> Option<IpAddr> {
        self.0.agreed(QUORUM).filter(|ip| !is_local(*ip))
    }

    /// Whether any vote is for this address.
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn six_networks_of_nine_decide_and_one_network_has_one_vote() {
        let mut votes = Votes::default();
        for last in 1..=20 {
            votes.add(IpAddr::from([11, 0, 0, last]), ip("9.9.9.9"));
        }
        assert_eq!(votes.winner(), None);
        (1..=5).for_each(|net| votes.add(IpAddr::from([12, net, 0, 1]), ip("9.9.9.9")));
        assert_eq!(votes.winner(), Some(ip("9.9.9.9")));
        (1..=4).for_each(|net| votes.add(IpAddr::from([13, net, 0, 1]), ip("6.6.6.6")));
        votes.add(ip("12.1.0.1"), ip("9.9.9.9"));
        assert_eq!(votes.winner(), None, "six of ten are less than two thirds");
    }

    #[test]
    fn over_ipv6_a_64_has_one_vote_and_nobody_can_say_where_we_are_in_ipv4() {
        let mut votes = Votes::default();
        for last in 1..=20 {
            votes.add(ip(&format!("2606:4700::{last}")), ip("2a00::9"));
        }
        assert_eq!(votes.winner(), None);
        (1..=9).for_each(|net| votes.add(ip(&format!("2606:4700:0:{net}::1")), ip("9.9.9.9")));
        assert!(!votes.contains(ip("9.9.9.9")));
        (1..=5).for_each(|net| votes.add(ip(&format!("2606:4700:0:{net}::1")), ip("2a00::9")));
        assert_eq!(votes.winner(), Some(ip("2a00::9")));
    }

    #[test]
    fn a_local_address_is_none_of_ours_in_public() {
        let mut votes = Votes::default();
        (1..=9).for_each(|net| votes.add(IpAddr::from([12, net, 0, 1]), ip("192.168.0.5")));
        assert_eq!(votes.winner(), None);
        assert!(votes.contains(ip("192.168.0.5")));
    }
}
