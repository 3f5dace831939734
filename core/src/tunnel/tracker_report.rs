//! `Tracker`: what one tracker of a join answered.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::join::MAX_TRACKER_URL;
use super::reader::{Reader, put_bytes};
use super::status::TrackerFailure;

/// The maximum length of a tracker's text: 2,048 bytes. Escaping makes it longer than
/// [`crate::discovery::trackers::MAX_TEXT`].
const MAX_TRACKER_TEXT: usize = 2048;
/// The encoding of an unknown number.
const UNKNOWN: u32 = u32::MAX;

/// The state of one tracker of a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerReport {
    /// Its URL as in the join.
    pub url: String,
    /// Its last answer.
    pub answer: TrackerAnswer,
    /// Whether it is being asked.
    pub asking: bool,
    /// The tracker's own text: why it refuses, or its warning. Escaped, and only from an answer in a
    /// tracker's protocol.
    pub text: Option<String>,
    /// The time until it is asked again, in whole seconds, if it answered and that is scheduled.
    pub next: Option<Duration>,
}

/// The last answer of a tracker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrackerAnswer {
    /// There was none yet.
    #[default]
    None,
    /// It answered.
    Peers {
        /// The number of addresses in the answer.
        named: u32,
        /// The number of complete peers, if given.
        seeders: Option<u32>,
        /// The number of incomplete peers, if given.
        leechers: Option<u32>,
    },
    /// It failed, or refused.
    Failed(TrackerFailure),
}

impl TrackerAnswer {
    const NONE: u8 = 0;
    const PEERS: u8 = 1;
    const FAILED: u8 = 2;

    fn write(self, out: &mut BytesMut) {
        match self {
            Self::None => out.put_u8(Self::NONE),
            Self::Peers {
                named,
                seeders,
                leechers,
            } => {
                out.put_u8(Self::PEERS);
                out.put_u32(named);
                out.put_u32(seeders.unwrap_or(UNKNOWN));
                out.put_u32(leechers.unwrap_or(UNKNOWN));
            }
            Self::Failed(failure) => {
                out.put_u8(Self::FAILED);
                out.put_u8(failure.number());
            }
        }
    }

    fn read(r: &mut Reader) -> Result<Self, Fault> {
        Ok(match r.u8()? {
            Self::NONE => Self::None,
            Self::PEERS => Self::Peers {
                named: r.u32()?,
                seeders: read_count(r)?,
                leechers: read_count(r)?,
            },
            Self::FAILED => {
                let failure = TrackerFailure::from_number(r.u8()?);
                Self::Failed(failure.ok_or(r.fault())?)
            }
            _ => return Err(r.fault()),
        })
    }
}

fn read_count(r: &mut Reader) -> Result<Option<u32>, Fault> {
    Ok(Some(r.u32()?).filter(|&count| count != UNKNOWN))
}

impl TrackerReport {
    pub(super) fn write(&self, out: &mut BytesMut) {
        put_bytes(out, self.url.as_bytes());
        self.answer.write(out);
        out.put_u8(u8::from(self.asking));
        let text = self.text.as_deref().unwrap_or_default().as_bytes();
        put_bytes(out, text.get(..MAX_TRACKER_TEXT).unwrap_or(text));
        out.put_u32(self.next.map_or(UNKNOWN, |next| {
            u32::try_from(next.as_secs()).unwrap_or(UNKNOWN - 1)
        }));
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let url = r.bytes(MAX_TRACKER_URL)?;
        let report = Self {
            url: String::from_utf8(url.to_vec()).map_err(|_| r.fault())?,
            answer: TrackerAnswer::read(&mut r)?,
            asking: r.flag()?,
            text: Some(r.bytes(MAX_TRACKER_TEXT)?)
                .filter(|text| !text.is_empty())
                .map(|text| String::from_utf8_lossy(&text).into_owned()),
            next: read_count(&mut r)?.map(|seconds| Duration::from_secs(seconds.into())),
        };
        r.end()?;
        Ok(report)
    }
}
