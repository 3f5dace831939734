//! The exchange between us and the peers of one torrent. Inputs are passed to the part that they
//! concern, and their consequences for other parts are carried out here.

use super::content::Content;
use super::metadata::MetadataFetch;
use super::peers::{Peers, Progress};
use super::state::State;
use super::upload::Upload;
use crate::config::Config;
use crate::context::{Context, Pending, misbehaved};
use crate::io::{CloseReason, OpError, OpResult};
use crate::types::{Block, ConnId, InfoHash};
use crate::wire::Message;

#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) info_hash: InfoHash,
    pub(super) state: State,
    pub(super) peers: Peers,
    pub(super) upload: Upload,
}

impl Transfer {
    /// A torrent of which only the hash is known.
    pub(super) fn new(info_hash: InfoHash, config: &Config) -> Self {
        Self {
            info_hash,
            state: State::Metadata(MetadataFetch::default()),
            peers: Peers::new(config),
            upload: Upload::default(),
        }
    }

    /// Calls a handler with the open content and the peers, if the content is open.
    pub(super) fn with_content<R>(
        &mut self,
        handler: impl FnOnce(&mut Content, &mut Peers) -> R,
    ) -> Option<R> {
        match &mut self.state {
            State::Open(content) => Some(handler(content, &mut self.peers)),
            _ => None,
        }
    }

    /// Handles a message of a connected peer.
    pub(super) fn handle_message(&mut self, cx: &mut Context, conn: ConnId, message: Message) {
        let Some(peer) = self.peers.get_mut(conn) else {
            return;
        };
        peer.outgoing.handle_message(cx.now);
        let verdict = self.dispatch(cx, conn, message).and_then(|progress| {
            let Some(peer) = self.peers.get_mut(conn) else {
                return Ok(());
            };
            peer.count_message(cx.now, progress)?;
            peer.check_reading(cx.config().max_unsent)
        });
        if let Err(reason) = verdict {
            self.disconnect(cx, conn, reason);
        }
    }

    fn dispatch(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        message: Message,
    ) -> Result<Progress, CloseReason> {
        let Some(peer) = self.peers.get_mut(conn) else {
            return Ok(Progress::None);
        };
        let pieces = match &self.state {
            State::Open(content) => Some(&content.pieces),
            _ => None,
        };
        // BEP 6: these may be sent only if both sides announced the extension.
        if message.is_fast() && !peer.fast {
            return misbehaved("a fast-extension message without the extension");
        }
        match message {
            Message::Extended { id, payload } => {
                return self.handle_extended(cx, conn, id, &payload);
            }
            Message::Port(port) if !self.state.is_private() => peer.handle_port(cx, port),
            Message::Port(_) => {}
            Message::Interested => self.upload.handle_interested(cx, &mut self.peers, conn),
            Message::NotInterested => {
                if std::mem::take(&mut peer.peer_interested) {
                    self.upload.fill_slots(cx, &mut self.peers);
                }
            }
            Message::Request(raw) => {
                let progress = self.upload.handle_request(cx, pieces, (conn, peer), raw)?;
                self.serve(cx, conn);
                return Ok(progress);
            }
            Message::Cancel(raw) => {
                if let Some(pieces) = pieces {
                    self.upload.handle_cancel(cx, pieces, (conn, peer), raw);
                }
                self.serve(cx, conn);
            }
            other => match &mut self.state {
                State::Open(content) => {
                    return content.handle_message(cx, &mut self.peers, conn, other);
                }
                _ => return peer.handle_early(other),
            },
        }
        Ok(Progress::None)
    }

    /// Handles bytes that left the driver's queue for this peer.
    pub(super) fn handle_sent(&mut self, cx: &mut Context, conn: ConnId, bytes: u64) {
        let Some(peer) = self.peers.get_mut(conn) else {
            return;
        };
        peer.outgoing.handle_sent(cx.now, bytes);
        self.serve(cx, conn);
    }

    /// Reads for all peers, as far as memory and bandwidth allow. Who was served last comes last.
    pub(super) fn serve_all(&mut self, cx: &mut Context) {
        for conn in self.peers.conns_after(self.upload.newest()) {
            self.serve(cx, conn);
        }
    }

    /// Requests as much as memory, bandwidth and blocks allow.
    pub(super) fn fill_all(&mut self, cx: &mut Context) {
        self.with_content(|content, peers| content.fill_all(cx, peers));
    }

    /// Handles the result of a request. Returns whether the check of the data on disk ended with
    /// it.
    pub(super) fn handle_done(
        &mut self,
        cx: &mut Context,
        pending: Pending,
        result: Result<OpResult, OpError>,
    ) -> bool {
        let uploaded = self.upload.uploaded();
        let Self {
            state: State::Open(content),
            peers,
            ..
        } = self
        else {
            return false;
        };
        match pending {
            Pending::Hash { piece, data, from } => {
                let liars = content.handle_hashed(cx, peers, (piece, data, &from), result);
                liars.into_iter().for_each(|who| self.ban(cx, who));
            }
            Pending::Write { piece, data } => {
                if content.handle_written(cx, peers, (piece, data), result) {
                    self.finish_piece(cx);
                }
            }
            Pending::Check { piece } if content.checking().is_some() => {
                return content.handle_checked(cx, peers, piece, result);
            }
            Pending::Check { piece } => self.handle_rechecked(cx, piece, &result),
            Pending::Flush { have } => {
                if let Some((lost, error)) = content.handle_flushed(cx, (have, uploaded), result) {
                    self.forget(cx, &lost);
                    self.with_content(|content, _| content.fail(cx, error));
                }
            }
            Pending::Save { complete } => {
                content.handle_saved(cx, peers, complete, result);
            }
            Pending::Read { conn, blocks } => self.handle_read(cx, conn, &blocks, result),
        }
        false
    }

    fn handle_read(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        blocks: &[Block],
        result: Result<OpResult, OpError>,
    ) {
        match (result, blocks.first()) {
            (Ok(OpResult::Bytes(bytes)), _) => {
                if let Some(peer) = self.peers.get_mut(conn) {
                    self.upload.handle_read(cx, (conn, peer), (blocks, &bytes));
                }
            }
            (_, Some(first)) => {
                self.upload.handle_unreadable(conn, blocks);
                self.recheck(cx, first.piece());
            }
            _ => {}
        }
        self.serve(cx, conn);
    }

    /// Handles a piece that was verified and written.
    pub(super) fn finish_piece(&mut self, cx: &mut Context) {
        if self.state.is_complete() {
            self.complete(cx);
        }
        self.with_content(|content, _| content.flush_if_due(cx));
    }

    /// Handles the completion of all wanted pieces.
    pub(super) fn complete(&mut self, cx: &mut Context) {
        self.with_content(|content, _| content.drop_in_progress(cx));
        for conn in self.peers.conns() {
            self.disconnect_if_redundant(cx, conn);
        }
    }

    fn disconnect_if_redundant(&mut self, cx: &mut Context, conn: ConnId) {
        let verdict = self
            .state
            .content()
            .map(|content| content.check_redundant(&self.peers, conn));
        if let Some(Err(reason)) = verdict {
            self.disconnect(cx, conn, reason);
        }
    }
}
