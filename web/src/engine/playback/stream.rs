//! One answer that is being sent, to the service worker or to a player outside the browser.

use std::ops::Range;

use aqueduct_core::media::Head;
use aqueduct_core::types::{Bitfield, Lengths, Piece, TorrentId};
use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, MessagePort};

/// The maximum number of bytes per message.
const CHUNK: u64 = 512 << 10;

/// What a receiver of a stream wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum StreamEvent {
    /// It takes one more chunk.
    Pull,
    /// It needs nothing more.
    Cancel,
}

/// The receiver of a stream.
pub(super) enum Receiver {
    /// A media element of a page, by way of the service worker.
    Element(Port),
    /// A player outside the browser, by this stream of the bridge.
    Player(u32),
}

/// What the bridge is to send to a player.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) enum ToPlayer {
    /// The next chunk on this stream of the bridge. The player takes another one when it is sent.
    Chunk(u32, Bytes),
    /// No more can come.
    Failed(u32),
}

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The receiver has not asked for the next chunk.
    Idle,
    /// It has asked, and not all bytes are there.
    Waiting,
    /// The next chunk is being read.
    Reading,
}

/// An answer.
pub(super) struct Stream {
    pub(super) torrent: TorrentId,
    /// The bytes of the torrent that are still to be sent.
    rest: Range<u64>,
    state: State,
    receiver: Receiver,
    /// The number of its newest chunk among those of all streams; 0 before the first one.
    newest_chunk: u64,
}

impl Stream {
    /// A stream of these bytes of the torrent.
    pub(super) const fn new(torrent: TorrentId, bytes: Range<u64>, receiver: Receiver) -> Self {
        Self {
            torrent,
            rest: bytes,
            state: State::Idle,
            receiver,
            newest_chunk: 0,
        }
    }

    /// The bytes of the torrent that are still to be sent.
    pub(super) fn rest(&self) -> Range<u64> {
        self.rest.clone()
    }

    /// The bridge's stream to a player, if it is one.
    pub(super) const fn player(&self) -> Option<u32> {
        match self.receiver {
            Receiver::Player(stream) => Some(stream),
            Receiver::Element(_) => None,
        }
    }

    /// Records that the receiver takes a chunk.
    pub(super) fn pull(&mut self) {
        if self.state == State::Idle {
            self.state = State::Waiting;
        }
    }

    /// The place in the order in which streams get what they need: those whose receiver wants no chunk
    /// now come last, and of the others the one first that has been without a chunk for longest.
    pub(super) fn turn(&self) -> (bool, u64) {
        (self.state == State::Idle, self.newest_chunk)
    }

    /// Whether its receiver wants a chunk that is not there yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Whether the stream waits for a piece.
    pub(super) fn waits_for(&self, lengths: &Lengths, piece: Piece) -> bool {
        let start = lengths.offset(piece);
        let end = start + u64::from(lengths.size(piece));
        self.is_waiting() && (start..end).contains(&self.rest.start)
    }

    /// The offset and the length of the next chunk to read, if one was requested and its beginning
    /// is there. It counts as being read from then on.
    pub(super) fn start_reading(
        &mut self,
        lengths: &Lengths,
        have: &Bitfield,
    ) -> Option<(u64, u32)> {
        let length = available(lengths, have, self.rest.clone());
        if !self.is_waiting() || length == 0 {
            return None;
        }
        self.state = State::Reading;
        Some((self.rest.start, length))
    }

    /// Sends a chunk, the `number`-th of all streams; returns it if it is for a player. The stream is
    /// over when [`Stream::rest`] is empty.
    pub(super) fn send(&mut self, number: u64, chunk: Bytes) -> Option<ToPlayer> {
        (self.state, self.newest_chunk) = (State::Idle, number);
        self.rest.start += chunk.len() as u64;
        match &self.receiver {
            Receiver::Element(port) => {
                port.send(&Uint8Array::from(&chunk[..]).buffer());
                None
            }
            Receiver::Player(stream) => Some(ToPlayer::Chunk(*stream, chunk)),
        }
    }

    /// Ends the answer before it is complete.
    pub(super) fn fail(&self, why: &str) -> Option<ToPlayer> {
        match &self.receiver {
            Receiver::Element(port) => {
                port.post(&why.into());
                None
            }
            Receiver::Player(stream) => Some(ToPlayer::Failed(*stream)),
        }
    }
}

/// The number of bytes at the beginning of a range that belong to complete pieces, at most
/// [`CHUNK`].
fn available(lengths: &Lengths, have: &Bitfield, range: Range<u64>) -> u32 {
    let limit = range.end.min(range.start.saturating_add(CHUNK));
    let wanted = limit.saturating_sub(range.start);
    let complete = lengths
        .pieces_of(range.start, wanted)
        .take_while(|piece| have.has(*piece))
        .last();
    let end = complete.map_or(range.start, |piece| {
        lengths.offset(piece) + u64::from(lengths.size(piece))
    });
    u32::try_from(end.min(limit).saturating_sub(range.start)).unwrap_or(0)
}

/// The end of the channel to the service worker.
pub(in crate::engine) struct Port {
    port: MessagePort,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Port {
    /// Passes the service worker's messages to `handle`, never before this has returned.
    pub(in crate::engine) fn open(
        port: MessagePort,
        handle: impl Fn(StreamEvent) + 'static,
    ) -> Self {
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            match event.data().as_string().as_deref() {
                Some("pull") => handle(StreamEvent::Pull),
                Some("cancel") => handle(StreamEvent::Cancel),
                _ => {}
            }
        });
        port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Self {
            port,
            _on_message: on_message,
        }
    }

    /// Sends `["head", status, fields, length of the body]`.
    pub(super) fn send_head(&self, head: &Head) {
        let fields: Array = head
            .fields
            .iter()
            .map(|(name, value)| Array::of2(&(*name).into(), &value.into()))
            .collect();
        let length = (head.body.end - head.body.start) as f64;
        self.post(&Array::of4(
            &"head".into(),
            &head.status.into(),
            &fields,
            &length.into(),
        ));
    }

    /// Sends a chunk, which is moved instead of copied.
    fn send(&self, chunk: &js_sys::ArrayBuffer) {
        let moved = Array::of1(chunk);
        // If the service worker is gone, nobody waits.
        drop(self.port.post_message_with_transferable(chunk, &moved));
    }

    fn post(&self, message: &JsValue) {
        drop(self.port.post_message(message));
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        // A message that was sent before is still delivered.
        self.port.close();
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::types::{Bitfield, Lengths};

    use super::{CHUNK, available};

    #[test]
    fn only_complete_pieces_are_sent_and_no_byte_beyond_the_requested_range() {
        let lengths = Lengths::new(10_000, 1000).unwrap();
        let mut have = Bitfield::none(10);
        for piece in [0, 1, 3, 9] {
            have.set(lengths.piece(piece).unwrap());
        }
        for (range, length) in [
            (0..10_000, 2000),
            (500..10_000, 1500),
            (500..600, 100),
            (2000..3000, 0),
            (2999..4000, 0),
            (3500..10_000, 500),
            (9999..10_000, 1),
            (5..5, 0),
        ] {
            assert_eq!(
                available(&lengths, &have, range.clone()),
                length,
                "{range:?}"
            );
        }
    }

    #[test]
    fn a_chunk_has_a_bounded_size() {
        let lengths = Lengths::new(1 << 30, 16 << 20).unwrap();
        let have = Bitfield::all(64);
        assert_eq!(u64::from(available(&lengths, &have, 0..1 << 30)), CHUNK);
    }
}
