//! Reading and hashing pieces again that another program may have changed, while the torrent is
//! active.

use super::content::Content;
use super::peers::Peers;
use super::state::State;
use super::transfer::Transfer;
use crate::context::{Context, Pending};
use crate::io::{CloseReason, Event, FileChange, Op, OpError, OpResult};
use crate::types::{ConnId, Instant, Piece};
use crate::wire::Message;

/// The maximum number of messages about lost pieces; for more, a new handshake with a bitfield is
/// shorter.
const MAX_TOLD: usize = 256;
/// The maximum number of pieces that peers are told of at the end of a check. They may have waited
/// for it, and would return late, so that it is greater.
const MAX_FOUND: usize = 4096;

impl Transfer {
    /// Handles a file that another program removed, replaced or modified.
    pub(super) fn handle_file_changed(&mut self, cx: &mut Context, file: u32, change: FileChange) {
        if self.with_content(|content, _| content.list_changed(cx.now, file, change)) == Some(true)
        {
            cx.event(Event::FileChanged(cx.torrent, file, change));
            if self.state.is_checking() {
                // Peers that may know of its pieces have to connect again.
                disconnect_all(self, cx);
            }
            self.recheck_more(cx);
        }
    }

    /// Keeps some reads in flight.
    pub(super) fn recheck_more(&mut self, cx: &mut Context) {
        let State::Open(content) = &mut self.state else {
            return;
        };
        if content.checking().is_some() || cx.shared.shutting_down {
            return;
        }
        if content.pieces.recheck.is_blocked() {
            if content.failure().is_some() {
                return;
            }
            content.pieces.recheck.unblock();
        }
        let recheck = &mut content.pieces.recheck;
        while recheck.in_flight() < cx.config().checks_in_flight {
            let Some(piece) = recheck.next() else { break };
            let range = super::storage::check_range(&content.pieces.lengths, piece);
            cx.request(Op::Check(range), Pending::Check { piece });
        }
        if !recheck.is_over() && recheck.in_flight() == 0 {
            self.end_recheck(cx);
        }
    }

    /// Handles a piece that was read again.
    pub(super) fn handle_rechecked(
        &mut self,
        cx: &mut Context,
        piece: Piece,
        result: &Result<OpResult, OpError>,
    ) {
        let State::Open(content) = &mut self.state else {
            return;
        };
        let (expected, had) = (
            content.pieces.info.piece_digest(piece),
            content.pieces.have().has(piece),
        );
        let good = matches!(result, Ok(OpResult::Digest(digest)) if expected == Some(*digest));
        let since = content.pieces.recheck.since();
        if let Err(error) = result {
            handle_unreadable(content, cx, (piece, had), error);
        } else if content.pieces.recheck.handle_read(piece, good, had) {
            self.serve_waiting(cx, piece, since);
        }
        self.recheck_more(cx);
    }

    /// Handles a piece that turned out to be unchanged: pending requests for it are served, and
    /// peers that connected in the meantime learn of it.
    fn serve_waiting(&mut self, cx: &mut Context, piece: Piece, since: Option<Instant>) {
        for (conn, peer) in self
            .peers
            .iter_mut()
            .filter(|(_, peer)| !peer.have.has(piece))
        {
            if since.is_none_or(|since| peer.connected_at >= since) {
                peer.send(cx, conn, Message::Have(piece.get()));
            }
        }
        for conn in self.upload.waiting_for(piece) {
            self.serve(cx, conn);
        }
    }

    /// Removes wrong pieces and adds found ones. Called once per second, and at the end.
    pub(super) fn settle_recheck(&mut self, cx: &mut Context) {
        let State::Open(content) = &mut self.state else {
            return;
        };
        if content.pieces.recheck.is_over() {
            return;
        }
        let lengths = content.pieces.lengths;
        let (wrong, found) = content.pieces.recheck.take_outcome(&lengths);
        content.find(cx, &mut self.peers, &found);
        if self.forget(cx, &wrong) {
            self.fill_all(cx);
        }
    }

    /// Ends the recheck. The resume record is due, since it contains the new state of the files.
    fn end_recheck(&mut self, cx: &mut Context) {
        self.settle_recheck(cx);
        let State::Open(content) = &mut self.state else {
            return;
        };
        let outcome = content.pieces.end_recheck();
        content.store.mark_changed(cx.now);
        cx.event(Event::Rechecked(cx.torrent, outcome));
        self.finish_piece(cx);
        self.fill_all(cx);
        self.serve_all(cx);
    }

    /// Removes pieces that are or may be missing; they must be downloaded again. Returns whether
    /// any of them was complete.
    pub(super) fn forget(&mut self, cx: &mut Context, pieces: &[Piece]) -> bool {
        let gone = self
            .with_content(|content, _| content.forget(cx.now, pieces))
            .unwrap_or_default();
        if gone.is_empty() {
            return false;
        }
        self.upload.reject_waiting(cx, &mut self.peers, &gone);
        for conn in announce_dont_have(cx, &mut self.peers, &gone) {
            self.disconnect(cx, conn, CloseReason::Outdated);
        }
        self.with_content(|content, peers| {
            content.download.recount(cx, &content.pieces, peers);
            // Seeds that were left when nothing was lacking are needed again.
            if content.is_downloading() {
                peers.candidates.wake(cx.now);
            }
        });
        true
    }

    /// Reads for one peer while its send queue has room. Pieces that must be checked first are
    /// moved to the front of the recheck.
    pub(super) fn serve(&mut self, cx: &mut Context, conn: ConnId) {
        let Self {
            state: State::Open(content),
            peers,
            upload,
            ..
        } = self
        else {
            return;
        };
        let Some(peer) = peers.get(conn) else { return };
        if let Some(piece) = upload.serve(cx, &content.pieces, conn, peer) {
            content.pieces.recheck.hurry(piece);
            self.recheck_more(cx);
        }
    }

    /// Checks a piece again that could not be read. If it is wrong, it is downloaded again.
    pub(super) fn recheck(&mut self, cx: &mut Context, piece: Piece) {
        self.with_content(|content, _| {
            content.pieces.recheck.list(cx.now, piece);
            content.pieces.recheck.hurry(piece);
        });
        self.recheck_more(cx);
    }
}

/// BEP 54: announces that pieces are gone. Returns the peers to disconnect, so that they learn of it
/// in a new handshake: those without the extension, and all if there are too many pieces. Seeds
/// request nothing and are not told.
fn announce_dont_have(cx: &mut Context, peers: &mut Peers, gone: &[Piece]) -> Vec<ConnId> {
    let mut outdated = Vec::new();
    for (conn, peer) in peers.iter_mut().filter(|(_, peer)| !peer.have.is_all()) {
        let messages: Option<Vec<Message>> = gone
            .iter()
            .map(|piece| peer.extensions.dont_have_message(*piece))
            .collect();
        match messages.filter(|_| gone.len() <= MAX_TOLD) {
            Some(messages) => messages
                .into_iter()
                .for_each(|message| peer.send(cx, conn, message)),
            None => outdated.push(conn),
        }
    }
    outdated
}

/// After the check of the data on disk: tells peers that connected meanwhile of complete pieces
/// that did not have to be read.
pub(super) fn announce_checked(transfer: &mut Transfer, cx: &mut Context) {
    let State::Open(content) = &mut transfer.state else {
        return;
    };
    let unknown = content.pieces.announce_all();
    if unknown.len() > MAX_FOUND {
        disconnect_all(transfer, cx);
    } else {
        for piece in unknown {
            transfer.peers.announce_have(cx, piece);
        }
    }
    if transfer.state.is_complete() {
        transfer.complete(cx);
    }
}

/// Disconnects all peers. They learn from their next handshake what there is.
fn disconnect_all(transfer: &mut Transfer, cx: &mut Context) {
    for conn in transfer.peers.conns() {
        transfer.disconnect(cx, conn, CloseReason::Outdated);
    }
}

/// Handles a piece that could not be read, which does not show that it is wrong. A seed serves the
/// others; a download stops, since it would write over data that are perhaps right.
fn handle_unreadable(
    content: &mut Content,
    cx: &mut Context,
    (piece, had): (Piece, bool),
    error: &OpError,
) {
    if content.pieces.is_seed_only() {
        content.pieces.recheck.give_up(piece, had, error);
    } else {
        content.pieces.recheck.postpone(cx.now, piece);
        content.fail(cx, error.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::connection::{Line, Transport};
    use crate::io::{Command, Handshaken, Input, NewTorrent, Output, Resumed, TorrentSource};
    use crate::meta::{Content, Details, Draft};
    use crate::types::{Bitfield, PeerId, PieceDigest, TorrentId};
    use crate::wire::Reserved;
    use crate::{Config, Engine};

    /// What a peer of a seed receives. The seed has four pieces in one file, which was modified;
    /// every piece but the first is still correct.
    fn told(reserved: Reserved, hello: bool) -> Vec<Output> {
        let digests = [[1; 20], [2; 20], [3; 20], [4; 20]];
        let info = Draft::new("name", Content::File(65_536), Some(16_384))
            .unwrap()
            .finish(&digests, Details::default())
            .unwrap()
            .info;
        let (mut engine, now) = (
            Engine::new(Config::default(), PeerId([1; 20]), [0; 32], Instant::ZERO),
            Instant::ZERO,
        );
        let have = Bitfield::all(4);
        let resumed = Resumed::Record {
            have,
            check: Vec::new(),
            sample: Vec::new(),
            uploaded: 0,
            downloaded: 0,
        };
        let (torrent, conn) = (TorrentId(0), ConnId::accepted(0));
        let new = NewTorrent {
            torrent,
            source: TorrentSource::Info {
                info: Arc::clone(&info),
                resumed,
                wanted: None,
            },
            paused: false,
        };
        engine.command(now, Command::Add(new)).unwrap();
        engine.command(now, Command::SeedOnly(torrent)).unwrap();
        let handshake = Handshaken {
            info_hash: info.info_hash.wire(),
            peer_id: PeerId([2; 20]),
            reserved,
            line: Line::clear(Transport::Pipe),
        };
        engine.handle(
            now,
            Input::Accepted {
                conn,
                addr: ([127, 0, 0, 1], 5).into(),
                dialled: false,
                handshake,
            },
        );
        if hello {
            let payload = Bytes::from_static(b"d1:md11:lt_donthavei7eee");
            engine.handle(
                now,
                Input::Message {
                    conn,
                    message: Message::Extended { id: 0, payload },
                },
            );
        }
        engine.handle(
            now,
            Input::FileChanged {
                torrent,
                file: 0,
                change: FileChange::Written,
            },
        );
        let mut told = Vec::new();
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Request {
                    id,
                    op: Op::Check(range),
                    ..
                } => {
                    let digest = digests[range.piece.index()];
                    let result = if range.piece.get() == 0 {
                        OpResult::Missing
                    } else {
                        OpResult::Digest(PieceDigest::V1(digest))
                    };
                    engine.handle(
                        now,
                        Input::Done {
                            id,
                            result: Ok(result),
                        },
                    );
                }
                Output::Send { .. } | Output::Close { .. } => told.push(output),
                _ => {}
            }
        }
        told
    }

    #[test]
    fn a_peer_hears_which_piece_is_gone_or_is_made_to_connect_again() {
        let gone = |output: &Output| matches!(output, Output::Send { message: Message::Extended { id: 7, payload }, .. } if payload[..] == [0; 4]);
        let closed = |output: &Output| {
            matches!(
                output,
                Output::Close {
                    reason: CloseReason::Outdated,
                    ..
                }
            )
        };
        let outputs = told(Reserved::OURS, true);
        assert!(
            outputs.iter().any(gone) && !outputs.iter().any(closed),
            "{outputs:?}"
        );
        let outputs = told(Reserved::default(), false);
        assert!(
            outputs.iter().any(closed) && !outputs.iter().any(gone),
            "{outputs:?}"
        );
    }
}
