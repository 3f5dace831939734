//! Reports completion to the user and to discovery.

use crate::context::Context;
use crate::io::{DiscoverRequest, Event};

/// What has been reported about completion.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// Whether all data existed when the torrent was opened, so that it did not complete in this
    /// run.
    pub(super) came_complete: bool,
    pub(super) said_finished: bool,
}

impl Completion {
    /// Reports, once until something new is wanted, that all wanted data are complete, durable and
    /// not in doubt. `whole`: whether the unwanted data are complete too.
    pub(super) fn say_finished(&mut self, cx: &mut Context, whole: bool) {
        if std::mem::replace(&mut self.said_finished, true) {
            return;
        }
        cx.event(Event::Finished(cx.torrent));
        // A torrent that has left the swarm has nothing to announce.
        let announced = !cx.paused && !cx.shared.shutting_down;
        // BEP 3: `completed` refers to the whole download, not to a selection of files.
        if announced && whole && !self.came_complete {
            cx.discover(DiscoverRequest::Completed);
        }
    }
}
