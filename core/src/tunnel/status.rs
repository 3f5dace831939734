//! `Trackers`, `Dht` and `Peers`: the results of discovery as numbers.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::Reader;
pub use crate::discovery::DhtCounts;

/// The results of asking the trackers of a join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackerCounts {
    /// The number of known trackers.
    pub total: u16,
    /// The number of trackers that are being asked.
    pub asking: u16,
    /// The number of trackers whose last request succeeded.
    pub answered: u16,
    /// The number of these that returned no peers.
    pub empty: u16,
    /// The number of trackers whose last request failed.
    pub failed: u16,
    /// The failure of one of them: [`TrackerFailure::NotRegistered`] if there is one, otherwise the last.
    pub failure: Option<TrackerFailure>,
    /// The number of complete peers, from the tracker that knows most.
    pub seeders: u32,
    /// The number of incomplete peers, from the tracker that knows most.
    pub leechers: u32,
    /// The time until a tracker is asked again, in whole seconds, if that is scheduled.
    pub next: Option<Duration>,
}

impl TrackerCounts {
    pub(super) fn write(&self, out: &mut BytesMut) {
        for count in [
            self.total,
            self.asking,
            self.answered,
            self.empty,
            self.failed,
        ] {
            out.put_u16(count);
        }
        out.put_u8(self.failure.map_or(0, TrackerFailure::number));
        out.put_u32(self.seeders);
        out.put_u32(self.leechers);
        out.put_u32(self.next.map_or(u32::MAX, |next| {
            u32::try_from(next.as_secs()).unwrap_or(u32::MAX - 1)
        }));
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let counts = Self {
            total: r.u16()?,
            asking: r.u16()?,
            answered: r.u16()?,
            empty: r.u16()?,
            failed: r.u16()?,
            failure: TrackerFailure::from_number(r.u8()?),
            seeders: r.u32()?,
            leechers: r.u32()?,
            next: Some(r.u32()?)
                .filter(|&seconds| seconds != u32::MAX)
                .map(|seconds| Duration::from_secs(seconds.into())),
        };
        r.end()?;
        Ok(counts)
    }
}

/// How a tracker failed. All failures without a tracker's answer are one kind, since a tab must not
/// learn from its bridge which ports are open or which names exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TrackerFailure {
    /// Its URL is not usable.
    #[error("its address cannot be used")]
    Url,
    /// There was no valid answer.
    #[error("it gave no usable answer")]
    NoAnswer,
    /// It refused, with its own text.
    #[error("it refused the request")]
    Refused,
    /// The bridge does not send requests to such an address.
    #[error("the bridge does not ask trackers at such an address")]
    Forbidden,
    /// It refused because it does not know the torrent, or does not serve it.
    #[error("it answers that this torrent is not registered there")]
    NotRegistered,
}

impl TrackerFailure {
    const ALL: [Self; 5] = [
        Self::Url,
        Self::NoAnswer,
        Self::Refused,
        Self::Forbidden,
        Self::NotRegistered,
    ];

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Url => 1,
            Self::NoAnswer => 2,
            Self::Refused => 5,
            Self::Forbidden => 6,
            Self::NotRegistered => 7,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|failure| failure.number() == number)
    }
}

pub(super) fn write_dht(counts: &DhtCounts, out: &mut BytesMut) {
    out.put_u32(counts.nodes);
    out.put_u32(counts.peers);
    out.put_u8(u8::from(counts.asking));
}

pub(super) fn read_dht(mut r: Reader) -> Result<DhtCounts, Fault> {
    let counts = DhtCounts {
        nodes: r.u32()?,
        peers: r.u32()?,
        asking: r.flag()?,
    };
    r.end()?;
    Ok(counts)
}

/// The counts of a join's peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerCounts {
    /// The number of distinct addresses found so far.
    pub found: u32,
    /// The number of these that the bridge's address filter refused.
    pub refused: u32,
    /// The number of dials in progress.
    pub dialling: u32,
    /// The number of failed dials or handshakes since the join.
    pub failed: u32,
    /// The number of open streams.
    pub connected: u32,
}

impl PeerCounts {
    pub(super) fn write(&self, out: &mut BytesMut) {
        for count in [
            self.found,
            self.refused,
            self.dialling,
            self.failed,
            self.connected,
        ] {
            out.put_u32(count);
        }
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let counts = Self {
            found: r.u32()?,
            refused: r.u32()?,
            dialling: r.u32()?,
            failed: r.u32()?,
            connected: r.u32()?,
        };
        r.end()?;
        Ok(counts)
    }
}
