//! Local service discovery (BEP 14): peers on the same network find each other by multicast.
//!
//! A state machine without I/O. The driver joins the two groups on every usable interface, sends
//! the announces of [`Lsd::poll_announce`] to both, and passes received datagrams to
//! [`Lsd::handle_datagram`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::net::is_local;
use crate::types::{InfoHashV1, Instant};

/// The UDP port of the groups.
pub const PORT: u16 = 6771;
/// The IPv4 multicast group.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
/// The IPv6 multicast group.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);
/// The maximum length of an announce in bytes (BEP 14). Longer ones are neither sent nor read.
pub const MAX_DATAGRAM: usize = 1400;

/// The delay after which the first announce of a swarm is repeated once, since a datagram may be
/// lost, and a client that started at the same time may not have joined the group yet. Other
/// clients repeat theirs too.
const REPEAT: Duration = Duration::from_secs(3);
/// The interval between announces of a swarm.
const INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The minimum interval, even if a swarm is joined again (BEP 14).
const LEAST_INTERVAL: Duration = Duration::from_secs(60);
/// The minimum time between two announces, so that a program that joins a thousand swarms does not
/// send a burst.
const PACE: Duration = Duration::from_secs(1);
/// The maximum number of info-hashes in one announce. With 52 bytes each it stays below
/// [`MAX_DATAGRAM`].
const MAX_HASHES: usize = 20;
/// The maximum number of received announces per minute; more are ignored.
const MAX_HEARD: u32 = 300;

/// The content of an announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The sender's TCP port.
    pub port: u16,
    /// The info-hashes of its swarms.
    pub swarms: Vec<InfoHashV1>,
    /// A value by which a sender recognises its own announces.
    pub cookie: Option<String>,
}

impl Announce {
    /// Encodes the datagram for one of the groups.
    #[must_use]
    pub fn encode(&self, group: IpAddr) -> Vec<u8> {
        let host = SocketAddr::new(group, PORT);
        let mut text = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: {host}\r\nPort: {}\r\n",
            self.port
        );
        self.swarms
            .iter()
            .for_each(|swarm| text += &format!("Infohash: {swarm}\r\n"));
        self.cookie
            .iter()
            .for_each(|cookie| text += &format!("cookie: {cookie}\r\n"));
        (text + "\r\n\r\n").into_bytes()
    }

    /// Decodes a datagram. `None` if it is too long, not an announce, or without a port. Unknown
    /// headers and invalid info-hashes are ignored.
    #[must_use]
    pub fn decode(datagram: &[u8]) -> Option<Self> {
        let text = str::from_utf8(datagram)
            .ok()
            .filter(|text| text.len() <= MAX_DATAGRAM)?;
        let headers = text
            .strip_prefix("BT-SEARCH * HTTP/1.")?
            .split("\r\n")
            .filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim(), value.trim()));
        let all = |wanted: &'static str| {
            headers
                .clone()
                .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value)
        };
        let port = all("port").next()?.parse().ok().filter(|port| *port != 0)?;
        Some(Self {
            port,
            swarms: all("infohash")
                .filter_map(info_hash)
                .take(MAX_HASHES)
                .collect(),
            cookie: all("cookie").next().map(str::to_owned),
        })
    }
}

fn info_hash(hex: &str) -> Option<InfoHashV1> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    bytes.try_into().ok().map(InfoHashV1)
}

/// The state machine. The module's documentation describes how to drive it.
#[derive(Debug)]
pub struct Lsd {
    port: u16,
    cookie: String,
    swarms: BTreeMap<InfoHashV1, Turn>,
    /// Swarms that were announced within the last [`LEAST_INTERVAL`], even if they were left since.
    announced: BTreeMap<InfoHashV1, Instant>,
    /// When the next announce may be sent.
    pace: Instant,
    heard: (Instant, u32),
}

/// When one of our swarms may be announced next.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: Instant,
    /// Whether it will be repeated after [`REPEAT`].
    is_first: bool,
}

impl Lsd {
    /// `port` is the TCP port to announce.
    #[must_use]
    pub fn new(port: u16, seed: [u8; 32]) -> Self {
        let cookie = format!("{:016x}", ChaCha8Rng::from_seed(seed).random::<u64>());
        Self {
            port,
            cookie,
            swarms: BTreeMap::new(),
            announced: BTreeMap::new(),
            pace: Instant::ZERO,
            heard: (Instant::ZERO, 0),
        }
    }

    /// Announces a swarm from now on. Must never be called for a private torrent (BEP 27).
    pub fn join(&mut self, now: Instant, swarm: InfoHashV1) {
        self.forget_old(now);
        let last = self.announced.get(&swarm);
        let turn = Turn {
            at: last.map_or(now, |at| *at + LEAST_INTERVAL),
            is_first: last.is_none(),
        };
        self.swarms.entry(swarm).or_insert(turn);
    }

    /// Announces all swarms again: what was announced during an outage of the network went nowhere.
    pub fn handle_network_return(&mut self, now: Instant) {
        self.announced.clear();
        for turn in self.swarms.values_mut() {
            *turn = Turn {
                at: now,
                is_first: true,
            };
        }
    }

    /// Stops announcing a swarm.
    pub fn leave(&mut self, swarm: InfoHashV1) {
        self.swarms.remove(&swarm);
    }

    /// When [`Lsd::poll_announce`] will return an announce. `None`: never, in the current state.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.swarms
            .values()
            .map(|turn| turn.at.max(self.pace))
            .min()
    }

    /// The announce to send to both groups now, if any.
    pub fn poll_announce(&mut self, now: Instant) -> Option<Announce> {
        if now < self.pace {
            return None;
        }
        let due = self.take_due(now);
        if due.is_empty() {
            return None;
        }
        self.forget_old(now);
        self.announced.extend(due.iter().map(|swarm| (*swarm, now)));
        self.pace = now + PACE;
        Some(Announce {
            port: self.port,
            swarms: due,
            cookie: Some(self.cookie.clone()),
        })
    }

    /// Takes the swarms that are due, and schedules their next announces.
    fn take_due(&mut self, now: Instant) -> Vec<InfoHashV1> {
        let due = self
            .swarms
            .iter_mut()
            .filter(|(_, turn)| turn.at <= now)
            .take(MAX_HASHES);
        let taken = due.map(|(swarm, turn)| {
            let pause = if turn.is_first { REPEAT } else { INTERVAL };
            *turn = Turn {
                at: now + pause,
                is_first: false,
            };
            *swarm
        });
        taken.collect()
    }

    /// Handles a datagram from a group. Returns the peer, with those of our swarms that it is in.
    /// Ignored are our own announces, senders without a local address (which cannot be on this
    /// network), and link-local IPv6 addresses, which cannot be dialled without their interface.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: IpAddr,
        datagram: &[u8],
    ) -> Option<(SocketAddr, Vec<InfoHashV1>)> {
        let on_one_link = matches!(from, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !is_local(from) || on_one_link || !self.has_time_for(now) {
            return None;
        }
        let announce = Announce::decode(datagram)
            .filter(|announce| announce.cookie.as_ref() != Some(&self.cookie))?;
        let ours: BTreeSet<_> = announce
            .swarms
            .into_iter()
            .filter(|swarm| self.swarms.contains_key(swarm))
            .collect();
        (!ours.is_empty()).then(|| {
            (
                SocketAddr::new(from.to_canonical(), announce.port),
                ours.into_iter().collect(),
            )
        })
    }

    fn forget_old(&mut self, now: Instant) {
        self.announced
            .retain(|_, at| now.since(*at) < LEAST_INTERVAL);
    }

    fn has_time_for(&mut self, now: Instant) -> bool {
        if now.since(self.heard.0) >= LEAST_INTERVAL {
            self.heard = (now, 0);
        }
        self.heard.1 += 1;
        self.heard.1 <= MAX_HEARD
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use proptest::test_runner::Config;

    use super::*;

    fn swarm(n: u8) -> InfoHashV1 {
        InfoHashV1([n; 20])
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn lsd(seed: u8) -> Lsd {
        Lsd::new(6881, [seed; 32])
    }

    proptest! {
        #![proptest_config(Config { cases: 128, ..Config::default() })]

        #[test]
        fn an_announce_is_read_as_it_was_written_and_fits_a_datagram(port in 1..=u16::MAX, hashes in proptest::collection::vec(any::<[u8; 20]>(), 0..=MAX_HASHES)) {
            let announce = Announce { port, swarms: hashes.into_iter().map(InfoHashV1).collect(), cookie: Some("name".to_owned()) };
            for group in [GROUP_V4.into(), GROUP_V6.into()] {
                let datagram = announce.encode(group);
                prop_assert!(datagram.len() <= MAX_DATAGRAM);
                prop_assert_eq!(Announce::decode(&datagram), Some(announce.clone()));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "(port|infohash|cookie|:|\r\n| |[0-9a-f]{40}|[0-9]{1,6}|é){0,20}") {
            let _ = (Announce::decode(&bytes), Announce::decode(format!("BT-SEARCH * HTTP/1.1\r\n{text}").as_bytes()));
        }
    }

    #[test]
    fn the_datagram_is_that_of_bep_14() {
        let announce = Announce {
            port: 6881,
            swarms: vec![swarm(0xab)],
            cookie: None,
        };
        let expected = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: {}\r\n\r\n\r\n",
            "ab".repeat(20)
        );
        assert_eq!(announce.encode(GROUP_V4.into()), expected.as_bytes());
        let v6 = announce.encode(GROUP_V6.into());
        assert!(
            String::from_utf8(v6)
                .unwrap()
                .contains("Host: [ff15::efc0:988f]:6771\r\n")
        );
    }

    #[test]
    fn what_is_no_announce_is_refused() {
        let hash = "cd".repeat(20);
        assert_eq!(
            Announce::decode(b"M-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n"),
            None
        );
        assert_eq!(
            Announce::decode(
                format!("BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: {hash}\r\n\r\n").as_bytes()
            ),
            None
        );
        assert_eq!(
            Announce::decode(
                &[
                    b"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n",
                    &[b' '; MAX_DATAGRAM][..]
                ]
                .concat()
            ),
            None
        );
        let odd = Announce::decode(
            format!(
                "BT-SEARCH * HTTP/1.0\r\nPORT:7\r\ninfohash: xyz\r\nX: y\r\ninfohash:{}\r\n",
                hash.to_uppercase()
            )
            .as_bytes(),
        );
        assert_eq!(
            odd,
            Some(Announce {
                port: 7,
                swarms: vec![swarm(0xcd)],
                cookie: None
            })
        );
    }

    #[test]
    fn a_swarm_is_announced_at_once_again_after_three_seconds_and_every_five_minutes() {
        let mut lsd = lsd(1);
        assert_eq!((lsd.poll_timeout(), lsd.poll_announce(at(0))), (None, None));
        lsd.join(at(0), swarm(1));
        assert_eq!(lsd.poll_announce(at(0)).unwrap().swarms, [swarm(1)]);
        assert_eq!(
            (lsd.poll_timeout(), lsd.poll_announce(at(2))),
            (Some(at(3)), None)
        );
        assert!(lsd.poll_announce(at(3)).is_some());
        assert_eq!(
            (lsd.poll_timeout(), lsd.poll_announce(at(302))),
            (Some(at(303)), None)
        );
        assert!(lsd.poll_announce(at(303)).is_some());
        assert_eq!(lsd.poll_timeout(), Some(at(603)));
    }

    #[test]
    fn who_leaves_and_comes_back_is_announced_at_most_once_a_minute() {
        let mut lsd = lsd(1);
        lsd.join(at(0), swarm(1));
        lsd.poll_announce(at(0)).unwrap();
        lsd.leave(swarm(1));
        assert_eq!(lsd.poll_timeout(), None);
        lsd.join(at(20), swarm(1));
        assert_eq!(lsd.poll_timeout(), Some(at(60)));
        lsd.poll_announce(at(60)).unwrap();
        assert_eq!(lsd.poll_timeout(), Some(at(360)));
    }

    #[test]
    fn many_swarms_take_turns() {
        let mut lsd = lsd(1);
        (0..50).for_each(|n| lsd.join(at(0), swarm(n)));
        let mut told = Vec::new();
        for secs in 0..3 {
            assert_eq!(lsd.poll_timeout(), Some(at(secs)));
            told.extend(lsd.poll_announce(at(secs)).unwrap().swarms);
            assert_eq!(lsd.poll_announce(at(secs)), None);
        }
        assert_eq!(told, (0..50).map(swarm).collect::<Vec<_>>());
    }

    #[test]
    fn peers_of_our_swarms_are_heard_and_we_ourselves_are_not() {
        let [mut ours, mut theirs] = [lsd(1), lsd(2)];
        [&mut ours, &mut theirs]
            .into_iter()
            .for_each(|lsd| lsd.join(at(0), swarm(1)));
        theirs.join(at(0), swarm(2));
        let neighbour: IpAddr = [192, 168, 1, 2].into();
        let datagram = theirs.poll_announce(at(0)).unwrap().encode(GROUP_V4.into());
        assert_eq!(
            ours.handle_datagram(at(0), neighbour, &datagram),
            Some((SocketAddr::new(neighbour, 6881), vec![swarm(1)]))
        );
        assert_eq!(
            ours.handle_datagram(at(0), [9, 9, 9, 9].into(), &datagram),
            None,
            "multicast does not come from afar"
        );
        let own = ours.poll_announce(at(0)).unwrap().encode(GROUP_V4.into());
        assert_eq!(ours.handle_datagram(at(0), neighbour, &own), None);
    }

    #[test]
    fn a_flood_is_not_read_to_its_end() {
        let [mut ours, mut theirs] = [lsd(1), lsd(2)];
        [&mut ours, &mut theirs]
            .into_iter()
            .for_each(|lsd| lsd.join(at(0), swarm(1)));
        let datagram = theirs.poll_announce(at(0)).unwrap().encode(GROUP_V4.into());
        let heard = (0..1000)
            .filter(|_| {
                ours.handle_datagram(at(1), [10, 0, 0, 1].into(), &datagram)
                    .is_some()
            })
            .count();
        assert_eq!(heard, MAX_HEARD as usize);
        assert!(
            ours.handle_datagram(at(61), [10, 0, 0, 1].into(), &datagram)
                .is_some()
        );
    }
}
