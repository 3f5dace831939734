//! The machine.

use super::config::Config;
use super::io::{AddError, Amounts, Input, Key, Output, Reason, Swarm};
use super::status::TrackerStatus;
use crate::io::DiscoverRequest;
use crate::types::Instant;

/// Finds peers for any number of torrents.
#[derive(Debug)]
pub struct Discovery {
    config: Config,
}

impl Discovery {
    /// A machine without torrents.
    #[must_use]
    pub fn new(config: Config, _seed: [u8; 32]) -> Self {
        Self { config }
    }

    /// Takes a torrent in. Nobody is asked before [`DiscoverRequest::Start`].
    ///
    /// # Errors
    /// The key is there already.
    pub fn add(&mut self, _now: Instant, _key: Key, _swarm: Swarm) -> Result<(), AddError> {
        let _ = &self.config;
        Ok(())
    }

    /// Carries out a wish of the engine. Unknown keys are ignored.
    pub fn request(&mut self, _now: Instant, _key: Key, _request: DiscoverRequest) {}

    /// How far a torrent is, for its next announce. Cheap; announces nothing.
    pub fn update(&mut self, _key: Key, _amounts: Amounts) {}

    /// Forgets a torrent. Trackers that know of us are told; [`Output::Left`] follows when that is over.
    pub fn remove(&mut self, _now: Instant, _key: Key) {}

    /// Whether no torrent is left, nor a farewell under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _now: Instant, _input: Input) {}

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to call [`Discovery::handle`] with [`Input::Timeout`] at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        None
    }

    /// The trackers of a torrent, tier by tier, as the torrent has them.
    #[must_use]
    pub fn tracker_status(&self, _key: Key) -> Vec<TrackerStatus> {
        Vec::new()
    }
}
