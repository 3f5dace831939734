//! Limits on what one address may have at the same time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::limits::network::{Network, Networks};
use crate::sync::lock;

/// The count of each network. Networks with a count of zero take no memory.
#[derive(Debug)]
pub(crate) struct Quota {
    each: u32,
    per_site: u32,
    taken: Mutex<BTreeMap<Network, u32>>,
}

/// One unit of an address's share, which is returned when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Arc<Quota>,
    networks: Networks,
}

impl Quota {
    /// `each`: the limit of an address (/64 for IPv6); `per_site`: the limit of a site (/48) as a
    /// multiple of it.
    pub(crate) fn new(each: u32, per_site: u32) -> Arc<Self> {
        Arc::new(Self {
            each,
            per_site,
            taken: Mutex::default(),
        })
    }

    /// Takes a unit for this address, unless it or its site has reached its limit.
    pub(crate) fn take(self: &Arc<Self>, ip: IpAddr) -> Option<Share> {
        let networks = Networks::of(ip);
        let shares = networks.shares(self.per_site);
        let mut all = lock(&self.taken);
        let has_room = |(network, shares): (Network, u32)| {
            all.get(&network)
                .is_none_or(|taken| *taken < self.each.saturating_mul(shares))
        };
        (self.each > 0 && shares.clone().all(has_room)).then(|| {
            shares.for_each(|(network, _)| *all.entry(network).or_default() += 1);
            Share {
                quota: Arc::clone(self),
                networks,
            }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = lock(&self.quota.taken);
        for (network, _) in self.networks.shares(self.quota.per_site) {
            let left = all.get(&network).map_or(0, |taken| taken.saturating_sub(1));
            match left {
                0 => drop(all.remove(&network)),
                left => drop(all.insert(network, left)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let quota = Quota::new(2, 4);
        let [one, neighbour, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        let (first, second) = (quota.take(one), quota.take(neighbour));
        assert!(first.is_some() && second.is_some());
        assert!(quota.take(one).is_none(), "one /64 is one customer");
        assert!(quota.take(other).is_some());
        drop(first);
        assert!(quota.take(one).is_some());
        drop(second);
        assert!(lock(&quota.taken).is_empty(), "no address is remembered");
    }

    #[test]
    fn twenty_networks_of_one_site_are_not_twenty_strangers() {
        let quota = Quota::new(3, 4);
        let ip = |site: u16, network: u16| IpAddr::from([0x2001, 0xdb8, site, network, 0, 0, 0, 1]);
        let take = |site: u16| -> Vec<Share> {
            (0..20)
                .flat_map(|network| (0..3).map(move |_| ip(site, network)))
                .filter_map(|ip| quota.take(ip))
                .collect()
        };
        let shares = take(1);
        assert_eq!(shares.len(), 12, "a /48 has four shares");
        assert_eq!(take(2).len(), 12, "another site is not concerned");
        drop(shares);
        assert_eq!(take(1).len(), 12);
    }
}
