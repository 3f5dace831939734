//! The streams of a session, as both sides track them: which are open, bytes in flight, and credit
//! to return.

use bytes::BufMut;

use super::credit::{Ledger, Windows};
use super::error::Fault;
use super::frame::Kind;
use super::hello::Limits;
use super::outbox::Outbox;
use super::reader::Reader;
use crate::types::{SortedMap, SortedSet};

/// The maximum number of consumed bytes of a stream that are not returned as credit: 1 MiB. On a path
/// with a large window the sender would otherwise wait for half of it to be consumed.
const MAX_UNRETURNED: u64 = 1 << 20;

/// The directions in which a stream carries data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directions {
    /// To a peer and back.
    Both,
    /// Only to us: an offered file is read.
    In,
    /// Only from us: an offered file is read.
    Out,
}

/// The credit of all streams, in both directions.
#[derive(Debug)]
pub(super) struct Flow {
    outgoing: Ledger,
    incoming: Ledger,
    /// Bytes consumed and not yet returned as credit.
    consumed: SortedMap<u32, u64>,
    /// Streams whose window we have exhausted since we last said so.
    exhausted: SortedSet<u32>,
    /// Bytes by which we widen windows of the remote side.
    widened: SortedMap<u32, u64>,
    /// The limit to which a window grows.
    widest: u64,
    limits: Limits,
    /// Open streams that read offered files.
    reads: SortedSet<u32>,
    newest: u32,
}

impl Flow {
    /// `ours` is what we accept, `theirs` what the remote side accepts. Our window of a stream grows
    /// up to `widest` while the remote side exhausts it.
    pub(super) fn new(ours: Windows, widest: u32, theirs: Windows, limits: Limits) -> Self {
        let streams = limits.streams.saturating_add(limits.reads);
        Self {
            outgoing: Ledger::new(theirs, streams),
            incoming: Ledger::new(ours, streams),
            consumed: SortedMap::new(),
            exhausted: SortedSet::new(),
            widened: SortedMap::new(),
            widest: widest.min(ours.session).into(),
            limits,
            reads: SortedSet::new(),
            newest: 0,
        }
    }

    pub(super) const fn newest(&self) -> u32 {
        self.newest
    }

    /// Whether there are as many streams to peers as agreed.
    pub(super) fn is_full(&self) -> bool {
        self.consumed.len() - self.reads.len() >= usize::from(self.limits.streams)
    }

    /// Opens a stream. Numbers must increase, so that a late frame of a closed stream can be
    /// distinguished from one of a stream that never existed. There is no credit for a direction
    /// that carries no data.
    pub(super) fn open(&mut self, stream: u32, directions: Directions) -> Result<(), Fault> {
        if stream <= self.newest {
            return Err(Fault::StreamOrder {
                newest: self.newest,
                received: stream,
            });
        }
        let (is_full, limit) = if directions == Directions::Both {
            (self.is_full(), self.limits.streams)
        } else {
            let limit = self.limits.reads;
            (self.reads.len() >= usize::from(limit), limit)
        };
        if is_full {
            return Err(Fault::TooManyStreams(limit));
        }
        self.newest = stream;
        if directions != Directions::In {
            self.outgoing.open(stream);
        }
        if directions != Directions::Out {
            self.incoming.open(stream);
        }
        if directions != Directions::Both {
            self.reads.insert(stream);
        }
        self.consumed.insert(stream, 0);
        Ok(())
    }

    /// Removes a stream. Returns whether it was open.
    pub(super) fn close(&mut self, stream: u32) -> bool {
        let was_open = self.consumed.remove(&stream).is_some();
        if was_open {
            self.reads.remove(&stream);
            self.exhausted.remove(&stream);
            self.widened.remove(&stream);
            self.outgoing.close(stream);
            self.incoming.close(stream);
        }
        was_open
    }

    /// Whether a stream is open; an error if it never was.
    pub(super) fn is_open(&self, stream: u32) -> Result<bool, Fault> {
        match self.consumed.contains_key(&stream) {
            false if stream > self.newest || stream == 0 => Err(Fault::UnknownStream {
                newest: self.newest,
                received: stream,
            }),
            open => Ok(open),
        }
    }

    /// Bytes that may be sent on this stream now.
    pub(super) fn room(&self, stream: u32) -> usize {
        usize::try_from(self.outgoing.room(stream)).unwrap_or(usize::MAX)
    }

    /// Counts bytes as sent.
    pub(super) fn sent(&mut self, stream: u32, bytes: usize) {
        self.outgoing.take(stream, bytes as u64);
        if bytes > 0 && self.outgoing.is_exhausted(stream) {
            self.exhausted.insert(stream);
        }
    }

    /// Counts bytes as received. Returns whether the stream is still open.
    pub(super) fn received(&mut self, stream: u32, bytes: usize) -> Result<bool, Fault> {
        if !self.is_open(stream)? {
            return Ok(false);
        }
        let (credit, received) = (self.incoming.room(stream), bytes as u64);
        if received == 0 {
            return Err(Fault::Malformed(Kind::Data));
        }
        if received > credit {
            return Err(Fault::Overdrawn {
                stream,
                credit,
                received,
            });
        }
        self.incoming.take(stream, received);
        Ok(true)
    }

    /// Reads a `Credit` frame.
    pub(super) fn credited(&mut self, stream: u32, mut r: Reader) -> Result<(), Fault> {
        let received = u64::from(r.u32()?);
        r.end()?;
        let outstanding = self.outgoing.under_way(stream);
        if self.is_open(stream)? && received > outstanding {
            return Err(Fault::Overgranted {
                stream,
                outstanding,
                received,
            });
        }
        self.outgoing.give_back(stream, received);
        Ok(())
    }

    /// Reads an `Exhausted` frame. The window is doubled if it is the path that needs a wider one: not
    /// if much of what was received is not consumed, nor if all streams together are limited.
    pub(super) fn exhausted(&mut self, stream: u32, r: Reader) -> Result<(), Fault> {
        r.end()?;
        let window = self.incoming.window(stream);
        let wider = window.saturating_mul(2).min(self.widest);
        let consumed = self.consumed.get(&stream).copied().unwrap_or(0);
        let held = self.incoming.under_way(stream).saturating_sub(consumed);
        let is_path = held <= window / 2 && !self.incoming.is_scarce();
        if self.is_open(stream)? && is_path && wider > window {
            self.incoming.widen(stream, wider - window);
            *self.widened.get_or_insert_with(stream, || 0) += wider - window;
        }
        Ok(())
    }

    /// Reads a `Widen` frame.
    pub(super) fn widened(&mut self, stream: u32, mut r: Reader) -> Result<(), Fault> {
        let more = u64::from(r.u32()?);
        r.end()?;
        let received = self.outgoing.window(stream) + more;
        if self.is_open(stream)? && received > Windows::MAX.into() {
            return Err(Fault::TooWide {
                stream,
                limit: Windows::MAX,
                received,
            });
        }
        self.outgoing.widen(stream, more);
        Ok(())
    }

    /// Counts bytes as consumed; more than were received are ignored.
    pub(super) fn consumed(&mut self, stream: u32, bytes: usize) {
        let under_way = self.incoming.under_way(stream);
        if let Some(consumed) = self.consumed.get_mut(&stream) {
            *consumed = (*consumed + bytes as u64).min(under_way);
        }
    }

    /// Writes the frames about credit that are due.
    pub(super) fn write_credit(&mut self, out: &mut Outbox) {
        while let Some(stream) = self.exhausted.pop_first() {
            out.put(Kind::Exhausted, stream, |_| ());
        }
        while let Some((stream, more)) = self.widened.pop_first() {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            out.put(Kind::Widen, stream, |out| out.put_u32(more));
        }
        self.return_credit(out);
    }

    /// Writes the `Credit` frames that are due: at half of a stream's window, at most
    /// [`MAX_UNRETURNED`], or any amount when credit is scarce (a stream that has only its small
    /// share would otherwise wait forever).
    fn return_credit(&mut self, out: &mut Outbox) {
        let scarce = self.incoming.is_scarce();
        for (stream, consumed) in &mut self.consumed {
            let half = self.incoming.window(*stream) / 2;
            let threshold = if scarce {
                1
            } else {
                half.clamp(1, MAX_UNRETURNED)
            };
            if *consumed < threshold {
                continue;
            }
            let grant = u32::try_from(*consumed).unwrap_or(u32::MAX);
            self.incoming.give_back(*stream, grant.into());
            *consumed -= u64::from(grant);
            out.put(Kind::Credit, *stream, |out| out.put_u32(grant));
        }
    }
}
