//! How much one address may have of something at a time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gate::network_of;

/// Counts what every address (/64 for IPv6) has. Addresses that have nothing cost nothing.
#[derive(Debug)]
pub(crate) struct Quota {
    each: u32,
    taken: Mutex<BTreeMap<IpAddr, u32>>,
}

/// One of an address' share; free again when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Arc<Quota>,
    network: IpAddr,
}

impl Quota {
    pub(crate) fn new(each: u32) -> Arc<Self> {
        Arc::new(Self { each, taken: Mutex::default() })
    }

    /// Takes one for this address, if it has not all of its share already.
    pub(crate) fn take(self: &Arc<Self>, ip: IpAddr) -> Option<Share> {
        let network = network_of(ip);
        let mut all = self.lock();
        let taken = all.get(&network).copied().unwrap_or(0);
        (taken < self.each).then(|| {
            all.insert(network, taken + 1);
            Share { quota: Arc::clone(self), network }
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.quota.lock();
        let left = all.get(&self.network).map_or(0, |taken| taken.saturating_sub(1));
        match left {
            0 => drop(all.remove(&self.network)),
            left => drop(all.insert(self.network, left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let quota = Quota::new(2);
        let [one, neighbour, other]: [IpAddr; 3] = ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        let (first, second) = (quota.take(one), quota.take(neighbour));
        assert!(first.is_some() && second.is_some());
        assert!(quota.take(one).is_none(), "one /64 is one customer");
        assert!(quota.take(other).is_some());
        drop(first);
        assert!(quota.take(one).is_some());
        drop(second);
        assert!(quota.lock().is_empty(), "nobody is remembered");
    }
}
