//! The dials of one session, under way or in the line at their target.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use aqueduct_core::types::{PeerAddr, TabId};
use aqueduct_core::wire::Handshake;
use aqueduct_native::net::{Denied, Place};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bridge::Bridge;
use crate::limits::bucket::Bucket;
use crate::limits::network::{Network, Networks, network_of};
use crate::limits::targets::{Begun, Introduced};
use crate::swarm::dial::{Connected, DialError, dial};
use crate::swarm::tab_dial::Visit;

/// When a host is looked at again at which one dial of the session waits already.
const NEXT_LOOK: Duration = Duration::from_millis(250);
/// The same if all sockets are in use.
const BUSY: Duration = Duration::from_secs(1);

/// How a dial ended.
pub(crate) struct Dialled {
    pub(crate) join: u32,
    pub(crate) addr: PeerAddr,
    pub(crate) result: Result<Connected, DialError>,
}

/// A dial that is not made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutOff {
    /// This address may be dialled then.
    Address(Instant),
    /// Nothing at this host may be dialled before.
    Host(Instant),
}

pub(crate) struct Dialling {
    rate: Bucket,
    dials: JoinSet<Dialled>,
    /// Hosts at which a dial of this session stands in the line: one at each, since more of them
    /// would not be served sooner.
    lines: BTreeMap<IpAddr, Weak<()>>,
    client: Network,
    _introduced: Introduced,
}

impl Dialling {
    /// The dials of the session of this number, from this client.
    pub(crate) fn new(bridge: &Bridge, session: u64, ip: IpAddr) -> Self {
        Self {
            rate: Bucket::new(bridge.config.limits.dials_per_session, Instant::now()),
            dials: JoinSet::new(),
            lines: BTreeMap::new(),
            client: Networks::of(ip).site(),
            _introduced: bridge.targets.introduce(session, ip),
        }
    }

    /// Dials under way, those in a line included.
    pub(crate) fn count(&self) -> usize {
        self.dials.len()
    }

    /// When the rate allows the next one; `None`: now.
    pub(crate) fn next_at(&mut self, now: Instant) -> Option<Instant> {
        self.rate.check(now).err()
    }

    /// The next that ends. Never ends if there is none.
    pub(crate) async fn next(&mut self) -> Dialled {
        loop {
            match self.dials.join_next().await {
                Some(Ok(dialled)) => return dialled,
                Some(Err(_aborted)) => {}
                None => std::future::pending().await,
            }
        }
    }

    pub(crate) fn abort_all(&mut self) {
        self.dials.abort_all();
    }

    /// Goes to another tab.
    pub(crate) fn visit(&mut self, join: u32, tab: TabId, visit: Visit, limit: Duration) {
        let _ = self.rate.take(Instant::now());
        self.dials.spawn(async move {
            Dialled {
                join,
                addr: PeerAddr::Tab(tab),
                result: visit.pay(limit).await,
            }
        });
    }

    /// Dials, or waits in the line for it.
    pub(crate) fn begin(
        &mut self,
        bridge: &Arc<Bridge>,
        join: u32,
        addr: SocketAddr,
        handshake: Handshake,
    ) -> Result<(), PutOff> {
        let (now, host) = (Instant::now(), network_of(addr.ip()));
        if self
            .lines
            .get(&host)
            .is_some_and(|line| line.strong_count() > 0)
        {
            return Err(PutOff::Host(now + NEXT_LOOK));
        }
        let descriptor = Arc::clone(&bridge.sockets)
            .try_acquire_owned()
            .map_err(|_| PutOff::Host(now + BUSY))?;
        let permit = match bridge.targets.begin(Place::Addr(addr), self.client) {
            Begun::Now(permit) => Some(permit),
            Begun::Later => None,
            Begun::Denied(Denied::Resting(left)) => return Err(PutOff::Address(now + left)),
            Begun::Denied(Denied::Busy(wait)) => return Err(PutOff::Host(now + wait)),
        };
        let _ = self.rate.take(now);
        let waits = permit.is_none().then(|| self.stand_in_line(host));
        let (bridge, client) = (Arc::clone(bridge), self.client);
        self.dials.spawn(async move {
            let permit = match permit {
                Some(permit) => Ok(permit),
                None => bridge.targets.wait(Place::Addr(addr), client).await,
            };
            drop(waits);
            let limit = bridge.config.limits.handshake_timeout.0;
            let result = match permit {
                Ok(permit) => {
                    bridge.metrics.dials_total.add(1);
                    dial(addr, handshake, limit, descriptor, permit).await
                }
                Err(denied) => Err(denied.into()),
            };
            Dialled {
                join,
                addr: addr.into(),
                result,
            }
        });
        Ok(())
    }

    /// Stands there until what this returns is dropped.
    fn stand_in_line(&mut self, host: IpAddr) -> Arc<()> {
        let waits = Arc::new(());
        self.lines.retain(|_, line| line.strong_count() > 0);
        self.lines.insert(host, Arc::downgrade(&waits));
        waits
    }
}
