//! What stands before every request that discovery makes for a tab: the address filter, then the
//! limits of its target.

use std::sync::Arc;

use aqueduct_native::net::{Admission, Admitted, Denied, Permit, Place, Policy, Refusal, Target};

use crate::limits::policy::Filter;
use crate::limits::targets::{Begun, Targets};

/// The bridge's policy.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) filter: Arc<Filter>,
    pub(crate) targets: Arc<Targets>,
}

impl Policy for Guard {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        self.filter.check(target)
    }

    fn admit<'a>(&'a self, place: Place<'a>, owner: u64) -> Admission<'a> {
        let client = self.targets.client(owner);
        match self.targets.begin(place, client) {
            Begun::Now(permit) => Admission::Now(Ok(Box::new(permit))),
            Begun::Denied(denied) => Admission::Now(Err(denied)),
            Begun::Later => Admission::Waits(Box::pin(async move {
                boxed(self.targets.wait(place, client).await)
            })),
        }
    }
}

fn boxed(admitted: Result<impl Permit + 'static, Denied>) -> Admitted {
    admitted.map(|permit| -> Box<dyn Permit> { Box::new(permit) })
}
