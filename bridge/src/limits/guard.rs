//! The policy that all requests of discovery pass: the address filter, then the limits of the
//! target.

use std::sync::Arc;

use aqueduct_native::net::{
    Admission, Admitted, Denied, Permit, Place, Policy, Purpose, Refusal, Target,
};

use crate::limits::policy::Filter;
use crate::limits::targets::{Start, Targets};

/// The bridge's policy.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) filter: Arc<Filter>,
    pub(crate) targets: Arc<Targets>,
}

impl Policy for Guard {
    /// DHT nodes, and peers that are dialled over uTP, receive datagrams without [`Policy::admit`],
    /// since datagrams do not wait for a turn.
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        self.filter.check(target)?;
        let addr = target.addr;
        let is_counted = matches!(target.purpose, Purpose::Dht | Purpose::UtpSyn);
        if !is_counted || self.targets.may_send_datagram(addr.ip()) {
            Ok(())
        } else {
            Err(Refusal {
                addr,
                why: "it has been sent as many datagrams as one host may get".into(),
            })
        }
    }

    fn admit<'a>(&'a self, place: Place<'a>, owner: u64) -> Admission<'a> {
        let client = self.targets.client(owner);
        match self.targets.start(place, client) {
            Start::Now(permit) => Admission::Now(Ok(Box::new(permit))),
            Start::Denied(denied) => Admission::Now(Err(denied)),
            Start::Queued => Admission::Waits(Box::pin(async move {
                boxed(self.targets.wait(place, client).await)
            })),
        }
    }
}

fn boxed(admitted: Result<impl Permit + 'static, Denied>) -> Admitted {
    admitted.map(|permit| -> Box<dyn Permit> { Box::new(permit) })
}
