//! Connections to the peer port whose handshake has not named an info-hash yet: each address has a
//! share of the slots.

use std::net::IpAddr;
use std::sync::Arc;

use aqueduct_native::half_open::{HalfOpenPeers, Slot};
use tokio::task::AbortHandle;

use crate::limits::Limits;
use crate::limits::quota::{Quota, Share};

/// All half-open connections of dialling peers.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    slots: Arc<HalfOpenPeers>,
    quota: Arc<Quota>,
}

/// A connection's slot, which is freed when this is dropped.
#[derive(Debug)]
pub(crate) struct HalfOpenPlace {
    slot: Slot,
    _share: Share,
}

impl HalfOpen {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let quota = Quota::new(
            limits.incoming_half_open_per_address,
            limits.addresses_per_site,
        );
        Arc::new(Self {
            slots: HalfOpenPeers::new(limits.incoming_half_open),
            quota,
        })
    }

    /// A slot for a connection from this address; `None` if the address has its share already. If
    /// all slots are in use, the task of another connection is aborted: the oldest of the address
    /// range that has most.
    pub(crate) fn admit(&self, ip: IpAddr) -> Option<HalfOpenPlace> {
        let share = self.quota.take(ip)?;
        let slot = self.slots.admit(ip)?;
        Some(HalfOpenPlace {
            slot,
            _share: share,
        })
    }
}

impl HalfOpenPlace {
    /// Sets the task that is aborted when the slot is given to another connection.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        self.slot.set_task(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_others_have_theirs() {
        let half_open = HalfOpen::new(&Limits {
            incoming_half_open: 5,
            incoming_half_open_per_address: 3,
            ..Limits::default()
        });
        let enter = |ip: [u8; 4]| half_open.admit(IpAddr::from(ip));
        let mut places: Vec<_> = (0..3).filter_map(|_| enter([2; 4])).collect();
        assert_eq!(places.len(), 3);
        assert!(
            enter([2; 4]).is_none(),
            "a fourth is beyond the address's share"
        );
        assert!(enter([3; 4]).is_some());
        places.pop();
        assert!(enter([2; 4]).is_some());
    }
}
