//! What the user and discovery are told when a torrent is complete.

use crate::context::Context;
use crate::io::{DiscoverRequest, Event};

/// What was said of completeness.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// All of it was there when the torrent was opened: it did not complete in this run.
    pub(super) came_complete: bool,
    pub(super) said_finished: bool,
}

impl Completion {
    /// Everything wanted is there, durable and beyond doubt: told once, until something is wanted
    /// anew. `whole`: so is what is not wanted.
    pub(super) fn say_finished(&mut self, cx: &mut Context, whole: bool) {
        if std::mem::replace(&mut self.said_finished, true) {
            return;
        }
        cx.event(Event::Finished(cx.torrent));
        // A torrent that left the swarm has nothing to announce.
        let announced = !cx.paused && !cx.shared.shutting_down;
        // BEP 3: of the whole download, which a selection of files is not.
        if announced && whole && !self.came_complete {
            cx.discover(DiscoverRequest::Completed);
        }
    }
}
