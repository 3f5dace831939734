//! One torrent and its peers.

mod completion;
mod connections;
mod content;
mod download;
mod extended;
mod holepunch;
mod lifecycle;
mod metadata;
mod peers;
mod recheck;
mod snapshot;
mod state;
mod storage;
mod tick;
mod transfer;
mod upload;

use std::time::Duration;

use self::download::awaits_data;
use self::transfer::Transfer;
use crate::config::Config;
use crate::context::{Context, Pending, Shared};
use crate::io::{CloseReason, Handshaken, OpError, OpResult};
use crate::types::{ConnId, InfoHash, Instant, PeerAddr, PeerSource, TorrentId};
use crate::wire::Message;

/// The interval at which the engine calls all its torrents.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// A torrent of the engine: [`Transfer`], and the state that decides whether it takes part in the
/// swarm.
#[derive(Debug)]
pub(crate) struct Swarm {
    id: TorrentId,
    paused: bool,
    transfer: Transfer,
    /// Whether discovery was told that the torrent is in the swarm.
    announced: bool,
    asked_more_at: Instant,
    /// Whether peers were told that we are a partial seed (BEP 21).
    said_upload_only: bool,
    ticks: u32,
}

impl Swarm {
    /// A torrent of which only the hash is known.
    pub(crate) fn new(id: TorrentId, info_hash: InfoHash, paused: bool, config: &Config) -> Self {
        Self {
            id,
            paused,
            transfer: Transfer::new(info_hash, config),
            announced: false,
            asked_more_at: Instant::ZERO,
            said_upload_only: false,
            ticks: 0,
        }
    }

    pub(crate) fn info_hash(&self) -> InfoHash {
        self.transfer.info_hash
    }

    /// Whether the torrent is private (BEP 27), as far as that is known.
    pub(crate) fn is_private(&self) -> bool {
        self.transfer.state.is_private()
    }

    /// The context for calls of this torrent.
    pub(crate) fn context<'a>(&self, shared: &'a mut Shared, now: Instant) -> Context<'a> {
        Context {
            shared,
            torrent: self.id,
            paused: self.paused,
            now,
        }
    }

    /// Handles a message of a connected peer.
    pub(crate) fn handle_message(&mut self, cx: &mut Context, conn: ConnId, message: Message) {
        self.transfer.handle_message(cx, conn, message);
    }

    /// Handles bytes that left the driver's queue for this peer.
    pub(crate) fn handle_sent(&mut self, cx: &mut Context, conn: ConnId, bytes: u64) {
        self.transfer.handle_sent(cx, conn, bytes);
    }

    /// Handles a successful dial.
    pub(crate) fn handle_connected(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        handshake: &Handshaken,
    ) {
        self.transfer.handle_connected(cx, conn, handshake);
    }

    /// Handles an accepted connection. The flag says that the bridge dialled the address for us.
    pub(crate) fn handle_accepted(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        from: (PeerAddr, bool),
        handshake: &Handshaken,
    ) {
        self.transfer.handle_accepted(cx, conn, from, handshake);
    }

    /// Handles a connection or dial that ended.
    pub(crate) fn handle_closed(&mut self, cx: &mut Context, conn: ConnId, reason: &CloseReason) {
        self.transfer.handle_closed(cx, conn, reason);
    }

    /// Handles addresses from discovery. Returns when the rate limit permits more dials, if that is
    /// what prevents them.
    pub(crate) fn handle_peers(
        &mut self,
        cx: &mut Context,
        source: PeerSource,
        addrs: Vec<PeerAddr>,
    ) -> Option<Instant> {
        self.transfer.handle_peers(cx, source, addrs);
        self.transfer.dial(cx)
    }

    /// Starts as many dials as the limits allow. Returns as [`Swarm::handle_peers`] does.
    pub(crate) fn dial(&mut self, cx: &mut Context) -> Option<Instant> {
        self.transfer.dial(cx)
    }

    /// Closes connections beyond the limit, which was changed.
    pub(crate) fn observe_max_peers(&mut self, cx: &mut Context) {
        let Transfer { peers, state, .. } = &self.transfer;
        let limit = cx.config().max_peers;
        for conn in peers.surplus(limit, |conn| state.received_lately(conn)) {
            self.transfer.disconnect(cx, conn, CloseReason::Full);
        }
    }

    /// Handles the result of a request.
    pub(crate) fn handle_done(
        &mut self,
        cx: &mut Context,
        pending: Pending,
        result: Result<OpResult, OpError>,
    ) {
        if self.transfer.handle_done(cx, pending, result) {
            self.join(cx);
        }
    }

    /// Requests as much as memory, bandwidth and blocks allow.
    pub(crate) fn fill_all(&mut self, cx: &mut Context) {
        self.transfer.fill_all(cx);
    }

    /// As `fill_all`, if a peer can be asked for data that are awaited.
    pub(crate) fn fill_awaited(&mut self, cx: &mut Context) {
        let awaits = self.transfer.with_content(|content, peers| {
            awaits_data(&mut content.download, &content.pieces, peers)
        });
        if awaits == Some(true) {
            self.transfer.fill_all(cx);
        }
    }

    /// Serves as much as memory and bandwidth allow.
    pub(crate) fn serve_all(&mut self, cx: &mut Context) {
        self.transfer.serve_all(cx);
    }
}
