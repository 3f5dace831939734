//! What is due at certain times, and what concerns all torrents.

use super::Engine;
use crate::context::Context;
use crate::swarm::Swarm;
use crate::types::{Instant, TorrentId};

impl Engine {
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.rate_at.is_some_and(|at| at <= now) {
            self.shared.download_limit.regain(now);
            self.shared.upload_limit.regain(now);
            self.give_out(now);
        }
        if self.dial_at.is_some_and(|at| at <= now) {
            self.dial_at = self.earliest(now, Swarm::dial);
        }
        if self.tick_at.is_some_and(|at| at <= now) {
            let later = self.earliest(now, Swarm::tick);
            self.dial_at = later.into_iter().chain(self.dial_at).min();
            self.tick_at = None;
        }
    }

    /// Calls a handler for every torrent and returns the earliest returned time.
    fn earliest(
        &mut self,
        now: Instant,
        handler: impl Fn(&mut Swarm, &mut Context) -> Option<Instant>,
    ) -> Option<Instant> {
        let mut first: Option<Instant> = None;
        self.with_all(now, |swarm, cx| {
            first = handler(swarm, cx).into_iter().chain(first).min();
        });
        first
    }

    /// Gives what the rate limits have regained to the torrents in turn: the one that got the last of
    /// it comes last. What is awaited, as by a player, is requested before everything else.
    fn give_out(&mut self, now: Instant) {
        let newest = self.shared.download_limit.newest();
        self.with_all_after(now, newest, Swarm::fill_awaited);
        self.with_all_after(now, newest, Swarm::fill_all);
        let newest = self.shared.upload_limit.newest();
        self.with_all_after(now, newest, Swarm::serve_all);
    }

    /// As `with`, for every torrent in order.
    pub(super) fn with_all(&mut self, now: Instant, handler: impl FnMut(&mut Swarm, &mut Context)) {
        self.with_all_after(now, None, handler);
    }

    /// As `with_all`, beginning after this torrent.
    fn with_all_after(
        &mut self,
        now: Instant,
        torrent: Option<TorrentId>,
        mut handler: impl FnMut(&mut Swarm, &mut Context),
    ) {
        let swarms = self.swarms.iter_mut_from(|id| Some(*id) <= torrent);
        for (_, swarm) in swarms {
            let mut cx = swarm.context(&mut self.shared, now);
            handler(swarm, &mut cx);
        }
    }
}
