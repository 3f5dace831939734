//! Announces and scrapes, as sent over HTTP (BEP 3, 7, 23, 24, 31, 48) and UDP (BEP 15, 41), and
//! their answers.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::discovery::swarm::Amounts;
use crate::discovery::url::Host;
use crate::net::{compact, is_usable};
use crate::types::{InfoHashV1, PeerId, visible};

/// The maximum number of peers that are read from one answer.
pub const MAX_PEERS: usize = 2000;

/// The maximum number of host names of peers that are looked up per answer.
pub const MAX_NAMES: usize = 16;

/// The maximum length of a tracker's text in bytes.
pub const MAX_TEXT: usize = 255;

/// The value of `left` while it is unknown. It is not zero, since a tracker would then return no
/// seeds; it is the size of one block of metadata (BEP 9).
const UNKNOWN_LEFT: u64 = 16 << 10;

/// The event of an announce (BEP 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnnounceEvent {
    /// No event: the interval is over, or more peers are wanted.
    #[default]
    None,
    /// The download is complete.
    Completed,
    /// The first announce of this run.
    Started,
    /// We are leaving.
    Stopped,
}

/// An announce, independent of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The info-hash of the swarm.
    pub info_hash: InfoHashV1,
    /// Our peer id.
    pub peer_id: PeerId,
    /// Our listening port.
    pub port: u16,
    /// The transferred and missing amounts.
    pub amounts: Amounts,
    /// The event.
    pub event: AnnounceEvent,
    /// A random key, constant during a run, by which a tracker recognises us when our address
    /// changes.
    pub key: u32,
    /// The number of peers requested.
    pub num_want: u32,
}

impl Announce {
    pub(super) fn left(&self) -> u64 {
        self.amounts.left.unwrap_or(UNKNOWN_LEFT)
    }
}

/// A request to a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Announces us and requests peers.
    Announce(Announce),
    /// Requests counts only (BEP 48).
    Scrape(InfoHashV1),
}

impl Ask {
    /// Whether it says that no data are missing.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Announce(announce) if announce.amounts.left == Some(0))
    }

    /// The event; `None` for a scrape.
    pub(super) const fn event(&self) -> Option<AnnounceEvent> {
        match self {
            Self::Announce(announce) => Some(announce.event),
            Self::Scrape(_) => None,
        }
    }
}

/// A tracker's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The interval until the next announce, if given.
    pub interval: Option<Duration>,
    /// The minimum interval, if given.
    pub min_interval: Option<Duration>,
    /// The number of complete peers, if given.
    pub seeders: Option<u32>,
    /// The number of incomplete peers, if given.
    pub leechers: Option<u32>,
    /// The peers: at most [`MAX_PEERS`], usable, without duplicates.
    pub peers: Vec<SocketAddr>,
    /// Peers that were given by host name instead of address (BEP 3), at most [`MAX_NAMES`].
    pub names: Vec<(Host, u16)>,
    /// A warning for the user: escaped, cut to [`MAX_TEXT`].
    pub warning: Option<String>,
    /// A value to repeat in the next announce (`tracker id`), at most [`MAX_TEXT`] bytes.
    pub tracker_id: Option<Vec<u8>>,
    /// Our address as seen by the tracker (BEP 24), if given.
    pub external_ip: Option<IpAddr>,
}

/// Collects usable addresses without duplicates, in order, up to a limit.
#[derive(Debug, Default)]
pub(super) struct PeerList {
    pub(super) list: Vec<SocketAddr>,
    seen: BTreeSet<SocketAddr>,
}

impl PeerList {
    pub(super) fn add(&mut self, addr: SocketAddr) {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        if self.list.len() < MAX_PEERS && is_usable(addr) && self.seen.insert(addr) {
            self.list.push(addr);
        }
    }

    /// Adds compact IPv4 peers, six bytes each (BEP 23).
    pub(super) fn add_v4(&mut self, list: &[u8]) {
        compact::read_v4(list).for_each(|addr| self.add(addr));
    }

    /// Adds compact IPv6 peers, eighteen bytes each (BEP 7).
    pub(super) fn add_v6(&mut self, list: &[u8]) {
        compact::read_v6(list).for_each(|addr| self.add(addr));
    }
}

/// A tracker's text, safe for display and logs.
pub(super) fn words(foreign: &[u8]) -> String {
    let cut = &foreign[..foreign.len().min(MAX_TEXT)];
    let text = String::from_utf8_lossy(cut);
    // Drop a character that the cut leaves incomplete.
    let text = if foreign.len() > MAX_TEXT {
        text.trim_end_matches('\u{fffd}')
    } else {
        &text
    };
    visible(text).into_owned()
}
