//! The services of one kind that a search finds.

use std::collections::VecDeque;

use aqueduct_core::discovery::url::Url;
use tokio::time::Instant;

use super::control::Control;
use super::description::{Description, ServiceKind};
use super::search::Search;
use super::{Place, http};
use crate::port_mapping::access::Access;
use crate::port_mapping::failure::Failure;

/// The maximum number of descriptions that are fetched from one gateway.
const MAX_DESCRIPTIONS: usize = 4;
/// The maximum number of services of a description that are asked.
const MAX_SERVICES: usize = 4;

/// A search whose results are fetched one after the other.
#[derive(Debug)]
pub(super) struct Services {
    access: Access,
    kind: ServiceKind,
    deadline: Instant,
    search: Search,
    descriptions: usize,
    found: VecDeque<Control>,
    /// Why the last thing that was found is of no use.
    failure: Failure,
}

impl Services {
    /// Begins to search for services of `kind`.
    ///
    /// # Errors
    /// The system cannot send.
    pub(super) fn search(
        access: Access,
        kind: ServiceKind,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        Ok(Self {
            access,
            kind,
            deadline,
            search: Search::start(access, kind, deadline)?,
            descriptions: 0,
            found: VecDeque::new(),
            failure: Failure::Silent,
        })
    }

    /// The next service. `failure`: why the previous one is of no use.
    ///
    /// # Errors
    /// No other is found by the deadline; why the last one is of no use.
    pub(super) async fn next(&mut self, failure: Option<Failure>) -> Result<Control, Failure> {
        self.failure = failure.unwrap_or_else(|| self.failure.clone());
        loop {
            if let Some(control) = self.found.pop_front() {
                return Ok(control);
            }
            if self.descriptions == MAX_DESCRIPTIONS {
                return Err(self.failure.clone());
            }
            let Some(url) = self.search.next().await? else {
                return Err(self.failure.clone());
            };
            self.descriptions += 1;
            if let Err(failure) = self.read(&url).await {
                self.failure = failure;
            }
        }
    }

    /// Fetches a description.
    async fn read(&mut self, url: &Url) -> Result<(), Failure> {
        let gateway = self.access.gateway.ip();
        let place = Place::at(gateway, url)?;
        let body = http::get(&self.access, &place, self.deadline).await?;
        let description = Description::parse(&body)?;
        self.failure = Failure::invalid(match self.kind {
            ServiceKind::Connection => "its description names no service that maps ports",
            ServiceKind::Firewall => "its description names no service that opens pinholes",
        });
        let mut found = 0;
        for service in description.services(self.kind) {
            if found == MAX_SERVICES {
                break;
            }
            match description.place(gateway, url, service) {
                Ok(place) => {
                    found += 1;
                    self.found.push_back(Control {
                        access: self.access,
                        service: service.name,
                        place,
                    });
                }
                // Another service of the description may be at the gateway.
                Err(failure) => self.failure = failure,
            }
        }
        Ok(())
    }
}
