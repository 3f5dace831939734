//! `Join` and `Update`: the swarm that a tab joins, and its state there.

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::frame::MAX_PAYLOAD;
use super::reader::{Reader, put_bytes};
pub use crate::discovery::Amounts;
use crate::types::{InfoHashV1, PeerId};

/// The maximum number of tracker URLs of a join: 64.
pub const MAX_TRACKERS: usize = 64;
/// The maximum length of a tracker URL: 2,048 bytes.
pub const MAX_TRACKER_URL: usize = 2048;
/// The length of a `Join` without trackers, rounded up.
const FIXED: usize = 128;

/// The encoding of an unknown number of bytes.
const UNKNOWN: u64 = u64::MAX;

fn write_amounts(amounts: &Amounts, out: &mut BytesMut) {
    out.put_u64(amounts.uploaded);
    out.put_u64(amounts.downloaded);
    out.put_u64(amounts.left.unwrap_or(UNKNOWN));
}

fn read_amounts(r: &mut Reader) -> Result<Amounts, Fault> {
    Ok(Amounts {
        uploaded: r.u64()?,
        downloaded: r.u64()?,
        left: Some(r.u64()?).filter(|&left| left != UNKNOWN),
    })
}

/// A request to join a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// The info-hash of the swarm.
    pub info_hash: InfoHashV1,
    /// The second info-hash by which peers may request the torrent when they dial the bridge: the
    /// v2 hash of a hybrid torrent, truncated to 20 bytes (BEP 52).
    pub other_hash: Option<InfoHashV1>,
    /// The tab's peer id, which the bridge uses in handshakes.
    pub peer_id: PeerId,
    /// Whether the torrent is private (BEP 27): only trackers may be used. False while a magnet's
    /// metadata are unknown.
    pub private: bool,
    /// The amounts for announces.
    pub amounts: Amounts,
    /// The number of peers wanted; 0: none are dialled. The bridge's own limit may be lower.
    pub want: u16,
    /// The announce URLs in tiers (BEP 12). At most [`MAX_TRACKERS`] of at most [`MAX_TRACKER_URL`]
    /// bytes are sent.
    pub trackers: Vec<Vec<String>>,
}

impl JoinRequest {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_slice(&self.info_hash.0);
        out.put_u8(u8::from(self.other_hash.is_some()));
        out.put_slice(self.other_hash.as_ref().map_or(&[], |hash| &hash.0));
        out.put_slice(&self.peer_id.0);
        out.put_u8(u8::from(self.private));
        write_amounts(&self.amounts, out);
        out.put_u16(self.want);
        let trackers = self.sendable_trackers();
        out.put_u16(u16::try_from(trackers.len()).unwrap_or(0));
        for (tier, url) in trackers {
            out.put_u8(tier);
            put_bytes(out, url.as_bytes());
        }
    }

    /// The trackers that fit into a frame, each with its tier. Tiers beyond 255 are merged.
    fn sendable_trackers(&self) -> Vec<(u8, &str)> {
        let mut room = MAX_PAYLOAD - FIXED;
        let tiers = (0u16..).zip(&self.trackers);
        let all = tiers.flat_map(|(tier, urls)| {
            urls.iter()
                .map(move |url| (u8::try_from(tier).unwrap_or(u8::MAX), url.as_str()))
        });
        let fitting = all
            .filter(|(_, url)| url.len() <= MAX_TRACKER_URL)
            .take(MAX_TRACKERS);
        let fitting = fitting.take_while(|(_, url)| {
            let fits = room.checked_sub(url.len() + 3);
            room = fits.unwrap_or(0);
            fits.is_some()
        });
        fitting.collect()
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let join = Self {
            info_hash: InfoHashV1(r.array()?),
            other_hash: if r.flag()? {
                Some(InfoHashV1(r.array()?))
            } else {
                None
            },
            peer_id: PeerId(r.array()?),
            private: r.flag()?,
            amounts: read_amounts(&mut r)?,
            want: r.u16()?,
            trackers: read_trackers(&mut r)?,
        };
        r.end()?;
        Ok(join)
    }
}

fn read_trackers(r: &mut Reader) -> Result<Vec<Vec<String>>, Fault> {
    let count = usize::from(r.u16()?);
    if count > MAX_TRACKERS {
        return Err(r.fault());
    }
    let mut tiers: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for _ in 0..count {
        let tier = r.u8()?;
        let url = r.bytes(MAX_TRACKER_URL)?;
        let url = String::from_utf8(url.to_vec()).map_err(|_| r.fault())?;
        match tiers.last_mut() {
            Some(urls) if last == Some(tier) => urls.push(url),
            _ => tiers.push(vec![url]),
        }
        last = Some(tier);
    }
    Ok(tiers)
}

/// The new state of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinUpdate {
    /// The amounts for announces.
    pub amounts: Amounts,
    /// The number of peers wanted; 0: none are dialled.
    pub want: u16,
    /// Whether the torrent is private (BEP 27), from when it is known.
    pub private: bool,
    /// Whether the last piece has just arrived; trackers are told once.
    pub completed: bool,
    /// Whether few peers are left: announce again as soon as the trackers' minimum intervals
    /// permit.
    pub more: bool,
}

impl JoinUpdate {
    pub(super) fn write(&self, out: &mut BytesMut) {
        write_amounts(&self.amounts, out);
        out.put_u16(self.want);
        for flag in [self.private, self.completed, self.more] {
            out.put_u8(u8::from(flag));
        }
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let update = Self {
            amounts: read_amounts(&mut r)?,
            want: r.u16()?,
            private: r.flag()?,
            completed: r.flag()?,
            more: r.flag()?,
        };
        r.end()?;
        Ok(update)
    }
}
