//! What is said to trackers: HTTP (BEP 3, 7, 23, 24, 31, 48) and UDP (BEP 15, 41).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::discovery::swarm::Amounts;
use crate::discovery::url::Host;
use crate::net::{compact, is_usable};
use crate::types::{InfoHashV1, PeerId, visible};

/// Most peers that are read from one answer.
pub const MAX_PEERS: usize = 2000;

/// Most host names of peers that are looked up for one answer.
pub const MAX_NAMES: usize = 16;

/// Most bytes of a tracker's words that are kept.
pub const MAX_TEXT: usize = 255;

/// What is told as `left` while it is not known: not zero, or a tracker would keep its seeds from
/// us; as much as one block of metadata (BEP 9).
const UNKNOWN_LEFT: u64 = 16 << 10;

/// Why a tracker is told (BEP 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnnounceEvent {
    /// The interval is over, or more peers are wanted.
    #[default]
    None,
    /// The last byte has come.
    Completed,
    /// The first announce of this run.
    Started,
    /// We leave.
    Stopped,
}

/// One announce, in whatever form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The swarm.
    pub info_hash: InfoHashV1,
    /// Ours.
    pub peer_id: PeerId,
    /// Where we listen.
    pub port: u16,
    /// How far we are.
    pub amounts: Amounts,
    /// Why.
    pub event: AnnounceEvent,
    /// The same for the whole run, so that a tracker knows us when our address changes.
    pub key: u32,
    /// Peers asked for.
    pub num_want: u32,
}

impl Announce {
    pub(super) fn left(&self) -> u64 {
        self.amounts.left.unwrap_or(UNKNOWN_LEFT)
    }
}

/// What is asked of a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// To be among the peers, and for others of them.
    Announce(Announce),
    /// For counts alone (BEP 48).
    Scrape(InfoHashV1),
}

impl Ask {
    /// Whether it says that nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Announce(announce) if announce.amounts.left == Some(0))
    }

    /// Why; nothing for a scrape.
    pub(super) const fn event(&self) -> Option<AnnounceEvent> {
        match self {
            Self::Announce(announce) => Some(announce.event),
            Self::Scrape(_) => None,
        }
    }
}

/// What a tracker answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Wait before the next announce, if it says.
    pub interval: Option<Duration>,
    /// Least wait, if it says.
    pub min_interval: Option<Duration>,
    /// Complete peers, if it says.
    pub seeders: Option<u32>,
    /// Other peers, if it says.
    pub leechers: Option<u32>,
    /// At most [`MAX_PEERS`], usable, none twice.
    pub peers: Vec<SocketAddr>,
    /// Peers of which it gave the host name instead of the address (BEP 3): at most [`MAX_NAMES`].
    pub names: Vec<(Host, u16)>,
    /// For the user: escaped, cut to [`MAX_TEXT`].
    pub warning: Option<String>,
    /// To be repeated in the next announce (`tracker id`), at most [`MAX_TEXT`] bytes.
    pub tracker_id: Option<Vec<u8>>,
    /// Our address as it sees it (BEP 24), if it says.
    pub external_ip: Option<IpAddr>,
}

/// Gathers addresses: bounded, usable, none twice, in the order they came.
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

    /// Six bytes per peer (BEP 23).
    pub(super) fn add_v4(&mut self, list: &[u8]) {
        compact::read_v4(list).for_each(|addr| self.add(addr));
    }

    /// Eighteen bytes per peer (BEP 7).
    pub(super) fn add_v6(&mut self, list: &[u8]) {
        compact::read_v6(list).for_each(|addr| self.add(addr));
    }
}

/// A tracker's words, fit for screens and logs.
pub(super) fn words(foreign: &[u8]) -> String {
    let cut = &foreign[..foreign.len().min(MAX_TEXT)];
    let text = String::from_utf8_lossy(cut);
    // A letter cut in two at the end is no letter.
    let text = if foreign.len() > MAX_TEXT {
        text.trim_end_matches('\u{fffd}')
    } else {
        &text
    };
    visible(text).into_owned()
}
