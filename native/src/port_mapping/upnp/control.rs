//! Calling a service of the gateway.

use tokio::time::Instant;

use super::soap::{Action, Answer, Fault, read_answer};
use super::{Place, http};
use crate::port_mapping::access::Access;

/// A service of the gateway that can be called.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) access: Access,
    /// Its type, as calls name it.
    pub(super) service: &'static str,
    /// Path and port of its control URL, which is at the gateway's address.
    pub(super) place: Place,
}

impl Control {
    /// Calls the service. The whole exchange ends by the deadline.
    pub(super) async fn call(&self, action: &Action, deadline: Instant) -> Result<Answer, Fault> {
        let body = action.envelope(self.service);
        let name = action.header(self.service);
        let (is_ok, body) = http::post(&self.access, &self.place, &name, body, deadline).await?;
        read_answer(&body, is_ok)
    }

    /// The deadline of a call that begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.access.timing.request
    }
}
