//! Adding, opening, pausing, resuming and removing a torrent.

use std::sync::Arc;

use super::Swarm;
use super::content::Content;
use super::recheck::announce_checked;
use super::state::State;
use crate::context::Context;
use crate::io::{
    CloseReason, CommandError, DiscoverRequest, FileChange, Phase, PriorityRange, Resumed,
};
use crate::meta::Info;
use crate::swarm::metadata::MetadataFetch;

impl Swarm {
    /// Opens the content. The data on disk are checked as `resumed` specifies, then the torrent
    /// joins the swarm.
    pub(crate) fn open(
        &mut self,
        cx: &mut Context,
        info: Arc<Info>,
        resumed: Resumed,
        wanted: Option<&[bool]>,
    ) {
        if let Resumed::Record { uploaded, .. } = resumed {
            self.transfer.upload.restore(uploaded);
        }
        let content = Content::new(info, resumed, wanted);
        self.transfer.state = State::Open(Box::new(content));
        for conn in self.transfer.peers.conns() {
            let adopted = self
                .transfer
                .with_content(|content, peers| content.adopt_peer(cx, peers, conn));
            if let Some(Err(reason)) = adopted {
                self.transfer.disconnect(cx, conn, reason);
            }
        }
        self.check_more(cx);
    }

    /// Opens the content of a magnet whose metadata were downloaded. Returns whether it waited for
    /// that.
    pub(crate) fn attach(&mut self, cx: &mut Context, resumed: Resumed) -> bool {
        let State::Opening { info, wanted } = &mut self.transfer.state else {
            return false;
        };
        let (info, wanted) = (Arc::clone(info), wanted.take());
        self.open(cx, info, resumed, wanted.as_deref());
        true
    }

    /// Continues checking the data on disk, and joins the swarm afterwards.
    pub(crate) fn check_more(&mut self, cx: &mut Context) {
        let over = self
            .transfer
            .with_content(|content, peers| content.check_more(cx, peers));
        if over == Some(true) {
            self.join(cx);
        }
    }

    /// Joins the swarm after the data on disk were checked.
    pub(super) fn join(&mut self, cx: &mut Context) {
        announce_checked(&mut self.transfer, cx);
        self.transfer.recheck_more(cx);
        self.start(cx);
        self.transfer.fill_all(cx);
    }

    pub(super) fn phase(&self) -> Phase {
        if self.transfer.state.failure().is_some() {
            return Phase::Error;
        }
        match self.transfer.state.content() {
            _ if self.paused => Phase::Paused,
            Some(content) if content.checking().is_some() => Phase::Checking,
            Some(content) if content.is_complete() => Phase::Seeding,
            _ if self.transfer.peers.is_empty() => Phase::Connecting,
            Some(_) => Phase::Downloading,
            None => Phase::FetchingMetadata,
        }
    }

    /// Joins the swarm.
    pub(crate) fn start(&mut self, cx: &mut Context) {
        if !self.transfer.state.is_active(cx) || cx.shared.shutting_down {
            return;
        }
        if !self.announced {
            self.announced = true;
            self.asked_more_at = cx.now;
            cx.discover(DiscoverRequest::Start);
        }
        self.transfer.dial(cx);
    }

    /// Leaves the swarm: closes all connections and dials. Received blocks of incomplete pieces
    /// stay in memory.
    fn stop(&mut self, cx: &mut Context) {
        for conn in self.transfer.peers.conns_and_dials() {
            self.transfer.disconnect(cx, conn, CloseReason::Inactive);
        }
        if self.announced {
            self.announced = false;
            cx.discover(DiscoverRequest::Stop);
        }
    }

    pub(crate) fn pause(&mut self, cx: &mut Context) {
        (self.paused, cx.paused) = (true, true);
        self.stop(cx);
        self.transfer
            .with_content(|content, _| content.flush_if_due(cx));
    }

    pub(crate) fn resume(&mut self, cx: &mut Context) {
        (self.paused, cx.paused) = (false, false);
        if let State::Invalid(_) = self.transfer.state {
            self.transfer.state = State::Metadata(MetadataFetch::default());
        }
        self.transfer.with_content(|content, _| {
            content.clear_failure();
            content.store.hasten_flush();
            content.retry(cx, true);
        });
        self.check_more(cx);
        self.transfer.recheck_more(cx);
        self.start(cx);
        self.transfer.fill_all(cx);
    }

    /// Leaves the swarm permanently and releases reserved memory. Results of pending requests are
    /// no longer needed.
    pub(crate) fn remove(mut self, cx: &mut Context) {
        (self.paused, cx.paused) = (true, true);
        self.stop(cx);
        self.transfer.with_content(|content, _| content.release(cx));
        cx.shared.outbox.cancel_all(cx.torrent);
    }

    /// Leaves the swarm and saves everything.
    pub(crate) fn shut_down(&mut self, cx: &mut Context) {
        self.stop(cx);
        self.transfer.with_content(|content, _| {
            content.drop_in_progress(cx);
            content.abandon_checks();
            content.store.hasten_flush();
            content.flush_if_due(cx);
        });
    }

    /// Changes which files are wanted, one flag per file.
    pub(crate) fn want(&mut self, cx: &mut Context, flags: &[bool]) -> Result<(), CommandError> {
        let files = self
            .transfer
            .state
            .info()
            .map_or(0, |info| info.files.len());
        if files != flags.len() || self.transfer.state.info().is_none() {
            return Err(CommandError::Files {
                expected: files,
                received: flags.len(),
            });
        }
        if let State::Opening { wanted, .. } = &mut self.transfer.state {
            *wanted = Some(flags.to_vec());
        }
        self.transfer
            .with_content(|content, peers| content.set_wanted(cx, peers, flags));
        // Seeds that were left when nothing was lacking are needed again, also if the torrent is
        // paused, checked or failed at the moment.
        let content = self.transfer.state.content();
        if content.is_some_and(|content| content.pieces.lacking() > 0) {
            self.transfer.peers.candidates.wake(cx.now);
        }
        if self.transfer.state.is_complete() {
            self.transfer.complete(cx);
            self.transfer
                .with_content(|content, _| content.flush_if_due(cx));
        }
        Ok(())
    }

    /// Sets the ranges that are downloaded first, once the metadata are known.
    pub(crate) fn prioritise(&mut self, cx: &mut Context, ranges: &[PriorityRange]) {
        self.transfer
            .with_content(|content, peers| content.prioritise(cx, peers, ranges));
    }

    /// Downloads nothing more: only existing data are wanted.
    pub(crate) fn set_seed_only(&mut self, cx: &mut Context) {
        self.transfer
            .with_content(|content, peers| content.set_seed_only(cx, peers));
    }

    /// Handles a file that another program removed, replaced or modified.
    pub(crate) fn handle_file_changed(&mut self, cx: &mut Context, file: u32, change: FileChange) {
        self.transfer.handle_file_changed(cx, file, change);
    }
}
