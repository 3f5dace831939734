//! The streams of a session, as both sides track them: which are open, bytes in flight, and credit
//! to return.

use std::collections::BTreeMap;

use bytes::BufMut;

use super::credit::{Ledger, Windows};
use super::error::Fault;
use super::frame::Kind;
use super::hello::Limits;
use super::outbox::Outbox;
use super::reader::Reader;

/// The maximum number of consumed bytes of a stream that are not returned as credit: 1 MiB. On a path
/// with a large window the sender would otherwise wait for half of it to be consumed.
const MAX_UNRETURNED: u64 = 1 << 20;

/// The credit of all streams, in both directions.
#[derive(Debug)]
pub(super) struct Flow {
    outgoing: Ledger,
    incoming: Ledger,
    /// Bytes consumed and not yet returned as credit; only nonzero entries.
    consumed: BTreeMap<u32, u64>,
    window: u64,
    max_streams: u16,
    open: u16,
    newest: u32,
}

impl Flow {
    /// `ours` is what we accept, `theirs` what the remote side accepts.
    pub(super) fn new(ours: Windows, theirs: Windows, limits: Limits) -> Self {
        let streams = limits.streams;
        Self {
            outgoing: Ledger::new(theirs, streams),
            incoming: Ledger::new(ours, streams),
            consumed: BTreeMap::new(),
            window: ours.stream.into(),
            max_streams: streams,
            open: 0,
            newest: 0,
        }
    }

    pub(super) const fn newest(&self) -> u32 {
        self.newest
    }

    pub(super) const fn is_full(&self) -> bool {
        self.open >= self.max_streams
    }

    /// Opens a stream. Numbers must increase, so that a late frame of a closed stream can be
    /// distinguished from one of a stream that never existed.
    pub(super) fn open(&mut self, stream: u32) -> Result<(), Fault> {
        if stream <= self.newest {
            return Err(Fault::StreamOrder {
                newest: self.newest,
                received: stream,
            });
        }
        if self.is_full() {
            return Err(Fault::TooManyStreams(self.max_streams));
        }
        self.newest = stream;
        self.open += 1;
        self.outgoing.open(stream);
        self.incoming.open(stream);
        self.consumed.insert(stream, 0);
        Ok(())
    }

    /// Removes a stream. Returns whether it was open.
    pub(super) fn close(&mut self, stream: u32) -> bool {
        let was_open = self.consumed.remove(&stream).is_some();
        if was_open {
            self.open -= 1;
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

    /// Counts bytes as consumed; more than were received are ignored.
    pub(super) fn consumed(&mut self, stream: u32, bytes: usize) {
        let under_way = self.incoming.under_way(stream);
        if let Some(consumed) = self.consumed.get_mut(&stream) {
            *consumed = (*consumed + bytes as u64).min(under_way);
        }
    }

    /// Writes the `Credit` frames that are due: at half of a stream's window, at most
    /// [`MAX_UNRETURNED`], or any amount when credit is scarce (a stream that has only its small
    /// share would otherwise wait forever).
    pub(super) fn write_credit(&mut self, out: &mut Outbox) {
        let threshold = if self.incoming.is_scarce() {
            1
        } else {
            (self.window / 2).min(MAX_UNRETURNED)
        };
        for (stream, consumed) in self
            .consumed
            .iter_mut()
            .filter(|(_, consumed)| **consumed >= threshold)
        {
            let grant = u32::try_from(*consumed).unwrap_or(u32::MAX);
            self.incoming.give_back(*stream, grant.into());
            *consumed -= u64::from(grant);
            out.put(Kind::Credit, *stream, |out| out.put_u32(grant));
        }
    }
}
