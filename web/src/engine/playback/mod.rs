//! Answers to the page's media elements for files that may still be downloading.
//!
//! 1. An element requests `/play/FOLDER/FILE/NAME`, usually a range of it. The service worker
//!    (`sw.js`) receives the request and asks the pages, with one end of a message channel for each.
//! 2. The leading page passes its end on to this worker in [`crate::message::ToWorker::Play`].
//! 3. This worker sends the [`head::Head`] of the answer, and then a chunk (an `ArrayBuffer`) for
//!    each `"pull"`, as soon as the pieces are there. Any other message means that no more can come.
//!
//! The engine downloads first what is waited for: [`Playback::ranges`].

mod head;
mod range;
mod stream;

use std::ops::Range;

use aqueduct_core::Instant;
use aqueduct_core::io::PriorityRange;
use aqueduct_core::meta::Info;
use aqueduct_core::types::{Bitfield, Lengths, Piece, SortedMap, SortedSet, TorrentId};

use self::head::Head;
use self::stream::Stream;
pub(super) use self::stream::{Port, StreamEvent};
use crate::media::{Kind, kind};

/// The bytes after the position of each stream that are needed before anything else. Requests for
/// others are cancelled after a seek.
const AHEAD: u64 = 8 << 20;
/// The number of bytes by which a stream moves on before the engine is told.
const STEP: u64 = 1 << 20;
/// The bytes at both ends of a media file that are downloaded early, since players read the ends
/// first.
const ENDS: u64 = 1 << 20;
/// The maximum number of answers at a time. Elements cancel the requests that they need no more, and
/// the oldest answer fails if one does not.
const MAX_STREAMS: usize = 32;

/// The number of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId(u64);

/// All answers that are being sent.
#[derive(Default)]
pub(super) struct Playback {
    streams: SortedMap<StreamId, Stream>,
    opened: u64,
    /// Torrents for which the engine was told what to download first.
    seen: SortedSet<TorrentId>,
}

/// A chunk to read for a stream.
pub(super) struct Read {
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Playback {
    /// A number for a new stream.
    pub(super) const fn new_id(&mut self) -> StreamId {
        self.opened += 1;
        StreamId(self.opened)
    }

    /// Answers a request for a file of a torrent. The status is 404 if there is no such torrent or
    /// file, and 403 for a file that is not played.
    pub(super) fn open(
        &mut self,
        id: StreamId,
        torrent: Option<(TorrentId, &Info)>,
        file: u32,
        range: Option<&str>,
        port: Port,
    ) {
        let found = torrent.and_then(|(torrent, info)| {
            let file = info.files.get(file as usize).filter(|file| !file.pad)?;
            Some((torrent, file))
        });
        let Some((torrent, file)) = found else {
            port.send_head(&Head::without_body(404));
            return;
        };
        let played = file.path.last().and_then(|name| kind(name));
        let Some((Kind::Audio | Kind::Video, media_type)) = played else {
            port.send_head(&Head::without_body(403));
            return;
        };
        let head = Head::new(media_type, file.size, range);
        port.send_head(&head);
        if head.body.is_empty() {
            return;
        }
        while self.streams.len() >= MAX_STREAMS {
            if let Some((_, oldest)) = self.streams.pop_first() {
                oldest.fail("too many requests at a time");
            }
        }
        let bytes = file.offset + head.body.start..file.offset + head.body.end;
        self.streams.insert(id, Stream::new(torrent, bytes, port));
    }

    /// The torrent of a stream, while it is being sent.
    pub(super) fn torrent(&self, id: StreamId) -> Option<TorrentId> {
        self.streams.get(&id).map(|stream| stream.torrent)
    }

    /// Handles a message of the service worker.
    pub(super) fn handle(&mut self, id: StreamId, event: StreamEvent) {
        match event {
            StreamEvent::Pull => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.pull();
                }
            }
            StreamEvent::Cancel => drop(self.streams.remove(&id)),
        }
    }

    /// The streams that wait for a piece.
    pub(super) fn waiting_for(
        &self,
        torrent: TorrentId,
        lengths: &Lengths,
        piece: Piece,
    ) -> Vec<StreamId> {
        let of_torrent = |(_, stream): &(_, &Stream)| stream.torrent == torrent;
        self.streams
            .iter()
            .filter(of_torrent)
            .filter(|(_, stream)| stream.waits_for(lengths, piece))
            .map(|(id, _)| *id)
            .collect()
    }

    /// The chunk to read next for a stream, if one was requested and its beginning is there.
    pub(super) fn next_read(
        &mut self,
        id: StreamId,
        lengths: &Lengths,
        have: &Bitfield,
    ) -> Option<Read> {
        let stream = self.streams.get_mut(&id)?;
        let (offset, length) = stream.start_reading(lengths, have)?;
        Some(Read { offset, length })
    }

    /// Sends the chunk that was read, or ends the answer if it could not be read. Returns whether
    /// [`Playback::ranges`] differ enough to be used again.
    pub(super) fn handle_read(&mut self, id: StreamId, chunk: Result<&[u8], String>) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else {
            return false;
        };
        let before = stream.rest().start / STEP;
        let ended = match chunk {
            Ok(chunk) => stream.send(chunk),
            Err(why) => {
                stream.fail(&why);
                true
            }
        };
        let moved = stream.rest().start / STEP != before;
        if ended {
            self.streams.remove(&id);
        }
        ended || moved
    }

    /// Those of these torrents that were not in any list before.
    pub(super) fn take_new(&mut self, torrents: impl Iterator<Item = TorrentId>) -> Vec<TorrentId> {
        torrents.filter(|id| self.seen.insert(*id)).collect()
    }

    /// Ends the answers of a torrent that is removed.
    pub(super) fn remove(&mut self, torrent: TorrentId) {
        self.seen.remove(&torrent);
        self.streams.retain(|_, stream| {
            let is_kept = stream.torrent != torrent;
            if !is_kept {
                stream.fail("the torrent was removed");
            }
            is_kept
        });
    }

    /// What to download first of a torrent: what the streams need next, the newest one first; then
    /// what follows; then the ends of media files, so that they can be played soon.
    pub(super) fn ranges(&self, torrent: TorrentId, info: &Info) -> Vec<PriorityRange> {
        let streams: Vec<Range<u64>> = self
            .streams
            .values()
            .rev()
            .filter(|stream| stream.torrent == torrent)
            .map(Stream::rest)
            .collect();
        let awaited = streams.iter().map(|rest| PriorityRange {
            start: rest.start,
            end: rest.end.min(rest.start.saturating_add(AHEAD)),
            deadline: Instant::ZERO,
        });
        let others = streams.iter().cloned().chain(media_ends(info));
        let others = others.map(|range| PriorityRange {
            start: range.start,
            end: range.end,
            ..PriorityRange::ALL
        });
        awaited
            .chain(others)
            .filter(|range| range.start < range.end)
            .collect()
    }
}

/// The beginning and the end of each file that is played.
fn media_ends(info: &Info) -> Vec<Range<u64>> {
    let is_media = |name: &String| matches!(kind(name), Some((Kind::Audio | Kind::Video, _)));
    info.files
        .iter()
        .filter(|file| !file.pad && file.path.last().is_some_and(is_media))
        .flat_map(|file| {
            let (start, end) = (file.offset, file.offset + file.size);
            [
                start..end.min(start + ENDS),
                end.saturating_sub(ENDS).max(start)..end,
            ]
        })
        .collect()
}
