//! Peer exchange, `ut_pex` (BEP 11): peers tell each other the addresses of their connected peers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::pex_flags::PexFlags;
use super::registry::{Effect, Extension, RemoteIds, View};
use crate::bencode::{Dict, Encoder, Limits, scan_prefix};
use crate::context::misbehaved;
use crate::io::CloseReason;
use crate::net::{compact, disclosure};
use crate::types::{Instant, PeerAddr, SortedSet};
use crate::wire::Message;

/// The maximum number of added peers in one message (BEP 11), and in the first one, which contains
/// all peers.
pub(crate) const MAX_ADDED: usize = 50;
pub(crate) const MAX_FIRST: usize = 200;
/// The minimum interval between messages to a peer (BEP 11).
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);
/// The maximum number of messages per minute. BEP 11 permits one; clocks differ and clients are
/// inexact, but more than this is a flood.
const MAX_A_MINUTE: usize = 6;

/// The maximum number of addresses that are remembered as connected to one peer; more are not.
const MAX_NAMED: usize = 200;

/// A connected peer, as it is announced to others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectedPeer {
    /// Its listening address.
    pub(crate) addr: PeerAddr,
    pub(crate) flags: PexFlags,
}

/// Handles a message. Addresses of dropped peers are not dropped, since they may still be reachable
/// for us.
pub(super) fn handle(
    pex: &mut Pex,
    view: &View<'_>,
    payload: &[u8],
) -> Result<Effect, CloseReason> {
    if !view.exchanges {
        return Ok(Effect::Nothing);
    }
    let Some(limit) = pex.heard(view.now) else {
        return misbehaved("it exchanged peers more than six times in a minute");
    };
    let Some(message) = PexMessage::decode(payload, limit) else {
        return Ok(Effect::Nothing);
    };
    pex.note_named(&message);
    let useful = |flags: PexFlags| !(flags.has(PexFlags::UPLOAD_ONLY) && view.complete);
    let added = message.added.into_iter();
    let added = added.filter(|(_, flags)| useful(*flags));
    Ok(Effect::Peers(added.collect()))
}

/// The next message for a peer, at most once per minute. It contains neither the peer itself
/// (`listens`) nor addresses in a private network that the peer is not part of.
pub(super) fn message(
    pex: &mut Pex,
    ids: &RemoteIds,
    (now, (addr, listens)): (Instant, (PeerAddr, Option<PeerAddr>)),
    connected: &[ConnectedPeer],
) -> Option<Message> {
    ids.get(Extension::Pex).filter(|_| pex.is_due(now))?;
    let others = connected.iter().filter(|other| Some(other.addr) != listens);
    let disclosed =
        |other: &ConnectedPeer| Some((disclosure::to_peer(addr, other.addr)?, other.flags));
    let others: Vec<_> = others.filter_map(disclosed).collect();
    let message = pex.news(now, &others)?;
    ids.message(Extension::Pex, message.encode())
}

/// A message of the extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PexMessage {
    /// Newly connected peers, each with its flags.
    pub(crate) added: Vec<(SocketAddr, PexFlags)>,
    /// Disconnected peers.
    pub(crate) dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// Decodes a payload with at most `limit` added and as many dropped peers; more are ignored.
    /// `None` if it is not bencode.
    pub(crate) fn decode(payload: &[u8], limit: usize) -> Option<Self> {
        let (value, _) = scan_prefix(payload, Limits::MESSAGE).ok()?;
        let dict = value.as_dict()?;
        let list = |key| dict.bytes(key).unwrap_or_default();
        let added = compact::read_v4(list("added"))
            .zip(flags(&dict, "added.f"))
            .chain(compact::read_v6(list("added6")).zip(flags(&dict, "added6.f")));
        let dropped = compact::read_v4(list("dropped")).chain(compact::read_v6(list("dropped6")));
        Some(Self {
            added: added.take(limit).collect(),
            dropped: dropped.take(limit).collect(),
        })
    }

    /// Encodes the payload. Empty lists are omitted, except `added`, which some clients expect.
    pub(crate) fn encode(&self) -> Bytes {
        let mut dict = Encoder::new();
        for (v6, keys) in [
            (false, ["added", "added.f", "dropped"]),
            (true, ["added6", "added6.f", "dropped6"]),
        ] {
            let added = || self.added.iter().filter(|(addr, _)| addr.is_ipv6() == v6);
            let dropped = self.dropped.iter().filter(|addr| addr.is_ipv6() == v6);
            let lists = [
                compact_list(added().map(|(addr, _)| *addr)),
                added().map(|(_, flags)| flags.to_wire()).collect(),
                compact_list(dropped.copied()),
            ];
            for (key, list) in keys
                .into_iter()
                .zip(lists)
                .filter(|(key, list)| !list.is_empty() || *key == "added")
            {
                dict.bytes(key, list);
            }
        }
        dict.finish().into()
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.dropped.is_empty()
    }
}

fn compact_list(addrs: impl Iterator<Item = SocketAddr>) -> Vec<u8> {
    let mut list = Vec::new();
    addrs.for_each(|addr| compact::write(&mut list, addr));
    list
}

/// The flags, one byte per peer. If there are too few, the rest is zero.
fn flags<'a>(dict: &Dict<'a>, key: &str) -> impl Iterator<Item = PexFlags> + use<'a> {
    let flags = dict.bytes(key).unwrap_or_default().iter().copied();
    flags.chain(std::iter::repeat(0)).map(PexFlags::from_wire)
}

/// The state of peer exchange with one peer: what was sent, and how often the peer sends.
#[derive(Debug, Default)]
pub(crate) struct Pex {
    told: SortedSet<SocketAddr>,
    told_at: Option<Instant>,
    /// The times of its last messages, at most [`MAX_A_MINUTE`].
    heard: VecDeque<Instant>,
    /// The peers that it is connected to as far as it said, at most [`MAX_NAMED`].
    named: SortedSet<SocketAddr>,
}

impl Pex {
    /// Whether a message may be sent now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.told_at.is_none_or(|at| now.since(at) >= INTERVAL)
    }

    /// The changes since the last message. `None` if there are none.
    pub(crate) fn news(
        &mut self,
        now: Instant,
        connected: &[(SocketAddr, PexFlags)],
    ) -> Option<PexMessage> {
        let limit = if self.told_at.is_none() {
            MAX_FIRST
        } else {
            MAX_ADDED
        };
        let added: Vec<_> = connected
            .iter()
            .copied()
            .filter(|(addr, _)| !self.told.contains(addr))
            .take(limit)
            .collect();
        let gone = |addr: &&SocketAddr| !connected.iter().any(|(other, _)| other == *addr);
        let dropped: Vec<_> = self
            .told
            .iter()
            .filter(gone)
            .copied()
            .take(MAX_ADDED)
            .collect();
        let message = Some(PexMessage { added, dropped }).filter(|message| !message.is_empty())?;
        self.told.retain(|addr| !message.dropped.contains(addr));
        self.told
            .extend(message.added.iter().map(|(addr, _)| *addr));
        self.told_at = Some(now);
        Some(message)
    }

    /// Whether the peer said that it is connected to the one at this address, and did not revoke it.
    pub(crate) fn has_named(&self, addr: SocketAddr) -> bool {
        self.named.contains(&addr)
    }

    fn note_named(&mut self, message: &PexMessage) {
        for addr in &message.dropped {
            self.named.remove(addr);
        }
        let room = MAX_NAMED.saturating_sub(self.named.len());
        self.named
            .extend(message.added.iter().map(|(addr, _)| *addr).take(room));
    }

    /// Counts a received message. Returns the number of peers to accept from it; `None` if the peer
    /// exceeds the rate limit.
    pub(crate) fn heard(&mut self, now: Instant) -> Option<usize> {
        let limit = if self.heard.is_empty() {
            MAX_FIRST
        } else {
            MAX_ADDED
        };
        if self.heard.len() == MAX_A_MINUTE {
            let oldest = self.heard.pop_front()?;
            if now.since(oldest) < INTERVAL {
                return None;
            }
        }
        self.heard.push_back(now);
        Some(limit)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use proptest::test_runner::Config;

    use super::*;

    fn addr(n: u16) -> SocketAddr {
        SocketAddr::from(([45, 0, 0, 1], n))
    }

    fn peers() -> impl Strategy<Value = Vec<(SocketAddr, PexFlags)>> {
        let v4 = proptest::collection::vec(any::<([u8; 4], u16, u8)>(), 0..60);
        let v6 = proptest::collection::vec(any::<([u8; 16], u16, u8)>(), 0..60);
        (v4, v6).prop_map(|(v4, v6)| {
            let v4 = v4.into_iter().map(|(ip, port, flags)| {
                (SocketAddr::from((ip, port)), PexFlags::from_wire(flags))
            });
            v4.chain(v6.into_iter().map(|(ip, port, flags)| {
                (SocketAddr::from((ip, port)), PexFlags::from_wire(flags))
            }))
            .collect()
        })
    }

    proptest! {
        #![proptest_config(Config { cases: 64, ..Config::default() })]

        #[test]
        fn a_message_is_read_as_it_was_written(added in peers(), dropped in peers()) {
            let message = PexMessage { added, dropped: dropped.into_iter().map(|(addr, _)| addr).collect() };
            prop_assert_eq!(PexMessage::decode(&message.encode(), 200), Some(message));
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_never_exceed_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..200), key in "added6?(\\.f)?") {
            let value = [format!("d{}:{key}{}:", key.len(), bytes.len()).as_bytes(), &bytes, b"e"].concat();
            for payload in [bytes, value] {
                if let Some(message) = PexMessage::decode(&payload, 3) {
                    prop_assert!(message.added.len() <= 3 && message.dropped.len() <= 3);
                }
            }
        }

        #[test]
        fn whatever_comes_and_goes_a_peer_knows_it_in_the_end(turns in proptest::collection::vec(proptest::collection::btree_set(0..300u16, 0..300), 1..5)) {
            let (mut pex, mut knows) = (Pex::default(), BTreeSet::new());
            let mut now = Instant::ZERO;
            let turns: Vec<Vec<_>> = turns.into_iter().map(|set| set.into_iter().map(|n| (addr(n), PexFlags::default())).collect()).collect();
            // One message per minute. The last state is repeated long enough to be sent completely.
            for connected in turns.iter().chain(std::iter::repeat_n(turns.last().unwrap(), 14)) {
                if let Some(message) = pex.news(now, connected) {
                    let limit = if knows.is_empty() { MAX_FIRST } else { MAX_ADDED };
                    prop_assert!(message.added.len() <= limit && message.dropped.len() <= MAX_ADDED);
                    prop_assert!(message.dropped.iter().all(|addr| knows.remove(addr)), "only what was added can be dropped");
                    knows.extend(message.added.iter().map(|(addr, _)| *addr));
                }
                now = now + INTERVAL;
            }
            prop_assert_eq!(knows, turns.last().unwrap().iter().map(|(addr, _)| *addr).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn a_message_of_the_wild_is_read_and_missing_flags_are_none() {
        let payload = b"d5:added12:\x01\x02\x03\x04\x1a\xe1\x05\x06\x07\x08\x1a\xe17:added.f1:\x127:dropped6:\x09\x09\x09\x09\x00\x01e";
        let message = PexMessage::decode(payload, MAX_ADDED).unwrap();
        let [first, second] = ["1.2.3.4:6881", "5.6.7.8:6881"].map(|text| text.parse().unwrap());
        assert_eq!(
            message.added,
            [
                (first, PexFlags::UPLOAD_ONLY.with(PexFlags::REACHABLE)),
                (second, PexFlags::default())
            ]
        );
        assert_eq!(message.dropped, ["9.9.9.9:1".parse().unwrap()]);
        assert_eq!(PexMessage::decode(b"le", MAX_ADDED), None);
    }

    #[test]
    fn a_peer_is_told_at_most_once_a_minute_and_only_news() {
        let mut pex = Pex::default();
        assert_eq!(
            pex.news(Instant::ZERO, &[]),
            None,
            "a first message is kept for the first news"
        );
        assert!(pex.is_due(Instant::ZERO));
        assert_eq!(
            pex.news(Instant::ZERO, &[(addr(1), PexFlags::UTP)])
                .unwrap()
                .added,
            [(addr(1), PexFlags::UTP)]
        );
        assert!(!pex.is_due(Instant::ZERO + INTERVAL / 2) && pex.is_due(Instant::ZERO + INTERVAL));
        let same = [(addr(1), PexFlags::default())];
        assert_eq!(pex.news(Instant::ZERO + INTERVAL, &same), None);
    }

    #[test]
    fn a_peer_counts_as_connected_to_those_that_it_named_and_did_not_drop() {
        let mut pex = Pex::default();
        let named = |ports: std::ops::Range<u16>| PexMessage {
            added: ports.map(|n| (addr(n), PexFlags::default())).collect(),
            dropped: vec![addr(1)],
        };
        pex.note_named(&named(1..3));
        assert!(pex.has_named(addr(1)) && pex.has_named(addr(2)) && !pex.has_named(addr(3)));
        pex.note_named(&named(3..4));
        assert!(!pex.has_named(addr(1)) && pex.has_named(addr(3)));
        pex.note_named(&named(4..1000));
        assert_eq!(pex.named.len(), MAX_NAMED);
    }

    #[test]
    fn more_than_six_messages_a_minute_are_a_flood() {
        let mut pex = Pex::default();
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        assert_eq!(pex.heard(at(0)), Some(MAX_FIRST));
        assert!((1..6).all(|n| pex.heard(at(n)) == Some(MAX_ADDED)));
        assert_eq!(
            pex.heard(at(60)),
            Some(MAX_ADDED),
            "the first was a minute ago"
        );
        assert_eq!(pex.heard(at(60)), None);
    }
}
