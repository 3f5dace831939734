//! Credit: how many bytes may be in flight, per stream and in total.

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::Reader;
use crate::types::SortedMap;

/// How many bytes one side accepts before it has consumed any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Bytes per stream, when it is opened. Default: 256 KiB, which permits 20 MiB/s per peer over a
    /// path with a latency of 12 ms.
    pub stream: u32,
    /// Bytes over all streams. Default: 2 MiB. It bounds a session's memory per direction.
    pub session: u32,
}

impl Windows {
    /// The minimum window: 16 KiB.
    pub const MIN: u32 = 16 * 1024;
    /// The maximum window: 64 MiB.
    pub const MAX: u32 = 64 * 1024 * 1024;

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.stream);
        out.put_u32(self.session);
    }

    pub(super) fn read(r: &mut Reader) -> Result<Self, Fault> {
        let windows = Self {
            stream: r.u32()?,
            session: r.u32()?,
        };
        windows.check()
    }

    fn check(self) -> Result<Self, Fault> {
        let sane =
            self.stream >= Self::MIN && self.session <= Self::MAX && self.session >= self.stream;
        if sane {
            Ok(self)
        } else {
            Err(Fault::Windows {
                stream: self.stream,
                session: self.session,
            })
        }
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            stream: 256 * 1024,
            session: 2 * 1024 * 1024,
        }
    }
}

/// Bytes in flight in one direction: sent, and not yet returned as credit.
///
/// Half of the session's window is divided evenly between the maximum number of streams; each share
/// belongs to its stream. What a stream has in flight beyond its share is taken from the pool, the
/// other half. Sender and receiver each keep a ledger. The receiver's never shows more in flight
/// than the sender's, since only data not yet received or credit not yet arrived can be between
/// them.
#[derive(Debug)]
pub(super) struct Ledger {
    window: u64,
    share: u64,
    pool: u64,
    pool_used: u64,
    streams: SortedMap<u32, InFlight>,
}

/// One stream.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    used: u64,
    window: u64,
}

impl Ledger {
    pub(super) fn new(windows: Windows, max_streams: u16) -> Self {
        let half = u64::from(windows.session) / 2;
        let share = half / u64::from(max_streams.max(1));
        Self {
            window: windows.stream.into(),
            share,
            pool: half,
            pool_used: 0,
            streams: SortedMap::new(),
        }
    }

    pub(super) fn open(&mut self, stream: u32) {
        let (used, window) = (0, self.window);
        self.streams.insert(stream, InFlight { used, window });
    }

    pub(super) fn close(&mut self, stream: u32) {
        let used = self.streams.remove(&stream).map_or(0, |own| own.used);
        self.pool_used = self.pool_used.saturating_sub(self.beyond_share(used));
    }

    /// Bytes that may be sent on this stream now.
    pub(super) fn room(&self, stream: u32) -> u64 {
        let Some(&InFlight { used, window }) = self.streams.get(&stream) else {
            return 0;
        };
        let own = self.share.saturating_sub(used);
        let shared = self.pool.saturating_sub(self.pool_used);
        window.saturating_sub(used).min(own + shared)
    }

    /// Bytes in flight on this stream.
    pub(super) fn under_way(&self, stream: u32) -> u64 {
        self.streams.get(&stream).map_or(0, |own| own.used)
    }

    /// The window of a stream; 0 if it is not open.
    pub(super) fn window(&self, stream: u32) -> u64 {
        self.streams.get(&stream).map_or(0, |own| own.window)
    }

    /// Whether the stream's own window permits no more bytes.
    pub(super) fn is_exhausted(&self, stream: u32) -> bool {
        let own = self.streams.get(&stream);
        own.is_some_and(|own| own.used >= own.window)
    }

    /// Makes the window of a stream wider.
    pub(super) fn widen(&mut self, stream: u32, bytes: u64) {
        if let Some(own) = self.streams.get_mut(&stream) {
            own.window = own.window.saturating_add(bytes);
        }
    }

    /// Counts bytes as in flight. The caller must have checked [`Ledger::room`].
    pub(super) fn take(&mut self, stream: u32, bytes: u64) {
        let used = self.under_way(stream);
        self.set(stream, used + bytes);
    }

    /// Counts bytes as returned, at most those in flight.
    pub(super) fn give_back(&mut self, stream: u32, bytes: u64) {
        let used = self.under_way(stream);
        self.set(stream, used.saturating_sub(bytes));
    }

    /// Whether more than half of the pool is used, so that credit is scarce.
    pub(super) fn is_scarce(&self) -> bool {
        self.pool_used > self.pool / 2
    }

    fn set(&mut self, stream: u32, used: u64) {
        let before = self.beyond_share(self.under_way(stream));
        let after = self.beyond_share(used);
        if let Some(own) = self.streams.get_mut(&stream) {
            own.used = used;
            self.pool_used = (self.pool_used + after).saturating_sub(before);
        }
    }

    const fn beyond_share(&self, used: u64) -> u64 {
        used.saturating_sub(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_streams_use_up_the_pool_but_no_others_share() {
        let windows = Windows {
            stream: 64 * 1024,
            session: 128 * 1024,
        };
        let mut ledger = Ledger::new(windows, 4);
        for stream in 1..=4 {
            ledger.open(stream);
        }
        assert_eq!(ledger.room(1), 64 * 1024);
        ledger.take(1, ledger.room(1));
        assert_eq!(ledger.room(1), 0);
        ledger.take(2, ledger.room(2));
        assert!(ledger.is_scarce());
        assert_eq!(ledger.room(3), 16 * 1024);
        ledger.close(1);
        assert_eq!(ledger.room(3), 64 * 1024);
    }

    #[test]
    fn what_is_under_way_never_exceeds_the_session() {
        let windows = Windows::default();
        let mut ledger = Ledger::new(windows, 50);
        let mut sum = 0;
        for stream in 1..=50 {
            ledger.open(stream);
            sum += ledger.room(stream);
            ledger.take(stream, ledger.room(stream));
        }
        assert!(
            sum <= u64::from(windows.session) && sum > u64::from(windows.session) * 9 / 10,
            "{sum}"
        );
    }
}
