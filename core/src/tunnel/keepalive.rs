//! Detects that the other side is gone.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::Reader;

/// The encoding of a round trip that was not measured.
const UNKNOWN: u32 = u32::MAX;

/// The interval of pings, and the timeout of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// The time between two `Ping`s of the bridge. Default: 30 s.
    pub interval: Duration,
    /// The time without messages after which the other side counts as gone. Default: 90 s.
    pub silence: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            silence: Duration::from_secs(90),
        }
    }
}

/// The payload of a `Ping`: how long the last ping and its answer took, in microseconds (u32).
pub(super) fn write_round_trip(round_trip: Option<Duration>, out: &mut BytesMut) {
    out.put_u32(round_trip.map_or(UNKNOWN, |span| {
        u32::try_from(span.as_micros()).unwrap_or(UNKNOWN - 1)
    }));
}

pub(super) fn read_round_trip(mut r: Reader) -> Result<Option<Duration>, Fault> {
    let micros = Some(r.u32()?).filter(|&micros| micros != UNKNOWN);
    r.end()?;
    Ok(micros.map(|micros| Duration::from_micros(micros.into())))
}
