//! Answers to players for files that may still be downloading: to the page's media elements, and to
//! programs outside the browser.
//!
//! 1. An element requests `/play/FOLDER/FILE/NAME`, usually a range of it. The service worker
//!    (`sw.js`) receives the request and asks the pages, with one end of a message channel for each.
//! 2. The leading page passes its end on to this worker in [`crate::message::ToWorker::Play`].
//! 3. This worker sends the [`Head`] of the answer, and then a chunk (an `ArrayBuffer`) for
//!    each `"pull"`, as soon as the pieces are there. Any other message means that no more can come.
//!
//! A program outside the browser requests a file from the bridge ([`crate::engine::players`]), which
//! answers with what it reads from here, by a stream of the tunnel. Such a stream takes the next
//! chunk when the one before it is sent.
//!
//! The engine downloads first what is waited for: [`Playback::ranges`].

mod stream;

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ops::Range;

use aqueduct_core::Instant;
use aqueduct_core::io::PriorityRange;
use aqueduct_core::media::Head;
use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::{Bitfield, Lengths, Piece, SortedMap, SortedSet, TorrentId, sort};
use bytes::Bytes;

pub(super) use self::stream::{Port, StreamEvent, ToPlayer};
use self::stream::{Receiver, Stream};
use crate::media::media_type;

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
    /// The number of chunks that were sent.
    chunks: u64,
    /// For players outside the browser.
    to_players: VecDeque<ToPlayer>,
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
        let found = torrent.and_then(|(torrent, info)| Some((torrent, file_of(info, file)?)));
        let Some((torrent, file)) = found else {
            port.send_head(&Head::without_body(404));
            return;
        };
        let Some(media_type) = file.path.last().and_then(|name| media_type(name)) else {
            port.send_head(&Head::without_body(403));
            return;
        };
        let head = Head::new(&media_type, file.size, range);
        port.send_head(&head);
        if !head.body.is_empty() {
            let bytes = file.offset + head.body.start..file.offset + head.body.end;
            self.begin(id, Stream::new(torrent, bytes, Receiver::Element(port)));
        }
    }

    /// Sends bytes of a file to a player outside the browser, by a stream of the bridge. Returns the
    /// stream's number here; `None` if there is no such file.
    pub(super) fn open_for_player(
        &mut self,
        (torrent, info): (TorrentId, &Info),
        file: u32,
        bytes: Range<u64>,
        stream: u32,
    ) -> Option<StreamId> {
        let file = file_of(info, file).filter(|file| bytes.end <= file.size)?;
        let bytes = file.offset + bytes.start..file.offset + bytes.end;
        let id = self.new_id();
        let mut opened = Stream::new(torrent, bytes, Receiver::Player(stream));
        opened.pull();
        self.begin(id, opened);
        Some(id)
    }

    fn begin(&mut self, id: StreamId, stream: Stream) {
        while self.streams.len() >= MAX_STREAMS {
            if let Some((_, oldest)) = self.streams.pop_first() {
                let failed = oldest.fail("too many requests at a time");
                self.to_players.extend(failed);
            }
        }
        self.streams.insert(id, stream);
    }

    /// The number of a stream to a player, by its number at the bridge.
    pub(super) fn for_player(&self, stream: u32) -> Option<StreamId> {
        let mut all = self.streams.iter();
        let found = all.find(|(_, known)| known.player() == Some(stream));
        found.map(|(id, _)| *id)
    }

    /// What the bridge is to send to players, in order; `None` if there is nothing.
    pub(super) fn poll_player(&mut self) -> Option<ToPlayer> {
        self.to_players.pop_front()
    }

    /// Ends all streams to players, since the session with the bridge is over. Returns their
    /// torrents.
    pub(super) fn end_session(&mut self) -> SortedSet<TorrentId> {
        self.to_players.clear();
        let of_players = self.streams.values().filter(|one| one.player().is_some());
        let torrents = of_players.map(|stream| stream.torrent).collect();
        self.streams.retain(|_, stream| stream.player().is_none());
        torrents
    }

    /// The torrent of a stream, while it is being sent.
    pub(super) fn torrent(&self, id: StreamId) -> Option<TorrentId> {
        self.streams.get(&id).map(|stream| stream.torrent)
    }

    /// Whether a stream of the torrent waits for data, and there are others. Then their order, which
    /// changes with every chunk, matters.
    pub(super) fn compete(&self, torrent: TorrentId) -> bool {
        let of_torrent = |stream: &&Stream| stream.torrent == torrent;
        let streams = self.streams.values().filter(of_torrent);
        streams.clone().any(Stream::is_waiting) && streams.count() > 1
    }

    /// Handles what the receiver of a stream wants.
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
    pub(super) fn handle_read(&mut self, id: StreamId, chunk: Result<Bytes, String>) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else {
            return false;
        };
        let before = stream.rest().start / STEP;
        let (to_player, ended) = match chunk {
            Ok(chunk) => {
                self.chunks += 1;
                let sent = stream.send(self.chunks, chunk);
                (sent, stream.rest().is_empty())
            }
            Err(why) => (stream.fail(&why), true),
        };
        self.to_players.extend(to_player);
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
        let to_players = &mut self.to_players;
        self.streams.retain(|_, stream| {
            let is_kept = stream.torrent != torrent;
            if !is_kept {
                to_players.extend(stream.fail("the torrent was removed"));
            }
            is_kept
        });
    }

    /// What to download first of a torrent: what the streams need next, in turn, the newest one first;
    /// then what follows; then the ends of media files, so that they can be played soon.
    pub(super) fn ranges(&self, torrent: TorrentId, info: &Info) -> Vec<PriorityRange> {
        let streams = self.streams.iter();
        let mut streams: Vec<_> = streams.filter(|(_, one)| one.torrent == torrent).collect();
        sort::sort_by_key(&mut streams, |(id, one)| (one.turn(), Reverse(*id)));
        let streams: Vec<Range<u64>> = streams.iter().map(|(_, one)| one.rest()).collect();
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

/// A file of a torrent; `None` if it is none, or padding.
pub(super) fn file_of(info: &Info, file: u32) -> Option<&File> {
    info.files.get(file as usize).filter(|file| !file.pad)
}

/// The beginning and the end of each file that is played.
fn media_ends(info: &Info) -> Vec<Range<u64>> {
    let is_media = |name: &String| media_type(name).is_some();
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

#[cfg(test)]
mod tests {
    use super::*;

    const TORRENT: TorrentId = TorrentId(1);
    /// The bridge's stream.
    const STREAM: u32 = 7;

    /// A torrent of a sound and a text of 2 MiB each, in pieces of 1 MiB.
    fn info() -> Info {
        let files = "d6:lengthi2097152e4:pathl7:one.wavee";
        let text = "d6:lengthi2097152e4:pathl7:two.txtee";
        let pieces = "x".repeat(80);
        let raw =
            format!("d5:filesl{files}{text}e4:name1:t12:piece lengthi1048576e6:pieces80:{pieces}e");
        Info::parse(Bytes::from(raw)).unwrap()
    }

    /// The bitfield with these pieces.
    fn having(info: &Info, pieces: &[u32]) -> Bitfield {
        let mut have = Bitfield::none(info.lengths.pieces());
        for piece in pieces {
            have.set(info.lengths.piece(*piece).unwrap());
        }
        have
    }

    fn read(playback: &mut Playback, info: &Info, id: StreamId, have: &[u32]) -> Option<u64> {
        let read = playback.next_read(id, &info.lengths, &having(info, have))?;
        let chunk = Bytes::from(vec![0; read.length as usize]);
        playback.handle_read(id, Ok(chunk));
        Some(read.offset)
    }

    fn chunk_length(playback: &mut Playback) -> Option<usize> {
        match playback.poll_player() {
            Some(ToPlayer::Chunk(STREAM, chunk)) => Some(chunk.len()),
            _ => None,
        }
    }

    #[test]
    fn a_player_outside_the_browser_gets_what_it_reads_a_chunk_at_a_time() {
        let (mut playback, info) = (Playback::default(), info());
        let bytes = (1 << 20) - 100..(1 << 20) + 100;
        let id = playback.open_for_player((TORRENT, &info), 0, bytes, STREAM);
        let id = id.unwrap();
        assert_eq!(playback.for_player(STREAM), Some(id));
        let first = &playback.ranges(TORRENT, &info)[0];
        assert_eq!((first.start, first.end), ((1 << 20) - 100, (1 << 20) + 100));
        assert_eq!(first.deadline, Instant::ZERO);

        assert_eq!(read(&mut playback, &info, id, &[]), None);
        let missing = info.lengths.piece(0).unwrap();
        assert_eq!(playback.waiting_for(TORRENT, &info.lengths, missing), [id]);
        assert_eq!(read(&mut playback, &info, id, &[0]), Some((1 << 20) - 100));
        assert_eq!(chunk_length(&mut playback), Some(100));
        assert_eq!(
            read(&mut playback, &info, id, &[0, 1]),
            None,
            "not sent yet"
        );
        playback.handle(id, StreamEvent::Pull);
        assert_eq!(read(&mut playback, &info, id, &[0, 1]), Some(1 << 20));
        assert_eq!(chunk_length(&mut playback), Some(100));
        assert_eq!(playback.for_player(STREAM), None, "it has everything");
    }

    #[test]
    fn streams_of_the_same_torrent_get_what_they_need_in_turn() {
        let (mut playback, info) = (Playback::default(), info());
        let starts = |playback: &Playback| -> Vec<u64> {
            let ranges = playback.ranges(TORRENT, &info);
            let awaited = ranges.iter().filter(|r| r.deadline == Instant::ZERO);
            awaited.map(|range| range.start).collect()
        };
        let [first, second] = [(0..2 << 20, 1), (1 << 20..2 << 20, 2)].map(|(bytes, stream)| {
            let opened = playback.open_for_player((TORRENT, &info), 0, bytes, stream);
            opened.unwrap()
        });
        assert!(playback.compete(TORRENT));
        assert_eq!(starts(&playback), [1 << 20, 0], "the newest one first");
        let chunk = 512 << 10;
        assert_eq!(read(&mut playback, &info, second, &[1]), Some(1 << 20));
        playback.handle(second, StreamEvent::Pull);
        assert_eq!(starts(&playback), [0, (1 << 20) + chunk], "the other one");
        assert_eq!(read(&mut playback, &info, first, &[0]), Some(0));
        let next = (1 << 20) + chunk;
        assert_eq!(starts(&playback), [next, chunk], "it wants no more now");
        playback.handle(first, StreamEvent::Pull);
        assert_eq!(starts(&playback), [next, chunk]);
        playback.handle(first, StreamEvent::Cancel);
        assert!(!playback.compete(TORRENT));
    }

    #[test]
    fn a_file_that_cannot_be_read_or_is_removed_ends_the_streams_of_players() {
        let (mut playback, info) = (Playback::default(), info());
        let open = |playback: &mut Playback| {
            let opened = playback.open_for_player((TORRENT, &info), 0, 0..10, STREAM);
            opened.unwrap()
        };
        let id = open(&mut playback);
        assert!(playback.handle_read(id, Err("no disk".to_owned())));
        assert_eq!(playback.poll_player(), Some(ToPlayer::Failed(STREAM)));
        open(&mut playback);
        playback.remove(TORRENT);
        assert_eq!(playback.poll_player(), Some(ToPlayer::Failed(STREAM)));
        open(&mut playback);
        let torrents: Vec<_> = playback.end_session().iter().copied().collect();
        assert_eq!(torrents, [TORRENT]);
        assert_eq!(playback.poll_player(), None, "there is no stream");
        assert_eq!(playback.for_player(STREAM), None);
    }

    #[test]
    fn a_player_reads_nothing_beyond_its_file() {
        let (mut playback, info) = (Playback::default(), info());
        for (file, bytes) in [(0, 0..(2 << 20) + 1), (2, 0..1)] {
            let opened = playback.open_for_player((TORRENT, &info), file, bytes, STREAM);
            assert_eq!(opened, None, "{file}");
        }
    }
}
