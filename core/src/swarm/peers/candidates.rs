//! The addresses to dial, ranked by earlier attempts.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::extensions::PexFlags;
use crate::net::{
    Blocklist, DialHistory, Network, Ranking, disclosure, is_shared, is_usable, network, takes_more,
};
use crate::types::{Instant, PeerAddr, PeerId, PeerIdentity, PeerSource, SortedMap, SortedSet};

/// Why an address is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No peer can have it (port 0, multicast, broadcast or unspecified), or it is a tab's, which
    /// only its bridge can reach.
    Unusable,
    /// It is on the blocklist.
    Blocked,
    /// It is banned because of corrupt pieces, or it is our own.
    Banned,
    /// It is known already.
    Known,
    /// Its informant has named too many addresses, or cannot know it.
    Distrusted,
}

/// The number of consecutive failures after which an address is dropped.
const GIVE_UP: u32 = 6;
/// The number of introductions (BEP 55) that are sought for an address that cannot be dialled.
const INTRODUCTIONS: u8 = 3;
/// The maximum number of bans, and of blocked addresses, that are remembered.
const BANS: usize = 4096;

#[derive(Debug)]
struct Candidate {
    history: DialHistory,
    /// The network of the peer that named the address (BEP 11).
    informant: Option<Network>,
    /// What peers said of it (BEP 11); nothing has to be true.
    flags: PexFlags,
    /// The number of introductions that were sought for it (BEP 55).
    introductions: u8,
    /// The time before which it is not dialled.
    rest_until: Instant,
    busy: bool,
}

impl Candidate {
    /// The rank; lower is better.
    const fn precedence(&self) -> (u32, PeerSource) {
        (self.history.failures(), self.history.source())
    }

    const fn may_be_introduced(&self) -> bool {
        self.flags.has(PexFlags::HOLEPUNCH) && self.introductions < INTRODUCTIONS
    }
}

/// The candidate addresses of one torrent.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    known: SortedMap<PeerAddr, Candidate>,
    banned_networks: SortedSet<Network>,
    banned_addrs: SortedSet<PeerAddr>,
    banned_ids: SortedSet<PeerId>,
    blocklist: Arc<Blocklist>,
    /// Addresses that the blocklist kept away.
    blocked: SortedSet<IpAddr>,
    limit: usize,
}

impl Candidates {
    /// Stores at most `limit` addresses, and none of the blocklist.
    pub(crate) fn new(limit: usize, blocklist: Arc<Blocklist>) -> Self {
        Self {
            limit,
            blocklist,
            ..Self::default()
        }
    }

    /// Adds an address.
    pub(crate) fn add(&mut self, addr: PeerAddr, source: PeerSource) -> Result<(), Refused> {
        self.insert(addr, source, None)
    }

    /// Adds an address that a peer named, and what it said of it. At most a quarter of all addresses
    /// may come from one network, and a peer outside a private network cannot know addresses inside
    /// it.
    pub(crate) fn add_told(
        &mut self,
        addr: SocketAddr,
        flags: PexFlags,
        informant: PeerAddr,
    ) -> Result<(), Refused> {
        let from_informant = self
            .known
            .values()
            .filter(|c| c.informant == Some(network(informant)))
            .count();
        if !takes_more(from_informant, self.limit) || !disclosure::may_name(informant, addr) {
            return Err(Refused::Distrusted);
        }
        let added = self.insert(addr.into(), PeerSource::Pex, Some(network(informant)));
        if let Some(known) = self.known.get_mut(&addr.into()) {
            known.flags = known.flags.with(flags);
        }
        added
    }

    fn insert(
        &mut self,
        addr: PeerAddr,
        source: PeerSource,
        informant: Option<Network>,
    ) -> Result<(), Refused> {
        if !addr.socket_addr().is_some_and(is_usable) {
            return Err(Refused::Unusable);
        }
        if self.is_blocked(addr) {
            return Err(Refused::Blocked);
        }
        if self.is_banned(addr) {
            return Err(Refused::Banned);
        }
        if let Some(known) = self.known.get_mut(&addr) {
            known.history.heard(source);
            return Err(Refused::Known);
        }
        if self.known.len() >= self.limit {
            self.forget_worst();
        }
        self.known.insert(
            addr,
            Candidate {
                history: DialHistory::new(source),
                informant,
                flags: PexFlags::default(),
                introductions: 0,
                rest_until: Instant::ZERO,
                busy: false,
            },
        );
        Ok(())
    }

    /// The best address that may be dialled now, which is marked as busy; among equals the one with
    /// the highest priority (BEP 40). `taken` returns whether an address is connected otherwise.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        ranking: Ranking,
        taken: impl Fn(PeerAddr) -> bool,
    ) -> Option<PeerAddr> {
        let free = self
            .known
            .iter_mut()
            .filter(|(addr, c)| !c.busy && c.rest_until <= now && !taken(**addr));
        let (addr, best) =
            free.min_by_key(|(addr, c)| (c.precedence(), Reverse(ranking.of(**addr))))?;
        best.busy = true;
        Some(*addr)
    }

    /// Marks a known address as busy, to be dialled now whatever its rank and its rest. Returns
    /// whether it was not.
    pub(crate) fn take(&mut self, addr: PeerAddr) -> bool {
        let free = self.known.get_mut(&addr).filter(|c| !c.busy);
        free.map(|c| c.busy = true).is_some()
    }

    /// Whether a peer says that it dialled this address (BEP 11).
    pub(crate) fn is_called_reachable(&self, addr: PeerAddr) -> bool {
        let known = self.known.get(&addr);
        known.is_some_and(|c| c.flags.has(PexFlags::REACHABLE))
    }

    /// Whether an introduction may be sought (BEP 55): a peer says that the one at this address
    /// supports them, and not enough were sought.
    pub(crate) fn may_be_introduced(&self, addr: PeerAddr) -> bool {
        let known = self.known.get(&addr);
        known.is_some_and(Candidate::may_be_introduced)
    }

    /// Counts an introduction that is sought. Returns false if none may be.
    pub(crate) fn count_introduction(&mut self, addr: PeerAddr) -> bool {
        let known = self.known.get_mut(&addr);
        let open = known.filter(|c| c.may_be_introduced());
        open.map(|c| c.introductions += 1).is_some()
    }

    /// The earliest time at which a waiting address may be dialled, if any.
    pub(crate) fn next_rested(&self) -> Option<Instant> {
        self.known
            .values()
            .filter(|c| !c.busy)
            .map(|c| c.rest_until)
            .min()
    }

    /// Records a failed dial. The delay grows with each failure, and finally the address is
    /// dropped.
    pub(crate) fn failed(&mut self, now: Instant, addr: PeerAddr) {
        let Some(c) = self.known.get_mut(&addr) else {
            return;
        };
        c.busy = false;
        c.rest_until = now + c.history.failed();
        if c.history.failures() >= GIVE_UP && c.history.source() != PeerSource::User {
            self.known.remove(&addr);
        }
    }

    /// Records a successful dial.
    pub(crate) fn succeeded(&mut self, addr: PeerAddr) {
        if let Some(c) = self.known.get_mut(&addr) {
            c.history.succeeded();
        }
    }

    /// Records a connection that ended; the address may be dialled again after `rest`.
    pub(crate) fn released(&mut self, now: Instant, addr: PeerAddr, rest: Duration) {
        if let Some(c) = self.known.get_mut(&addr) {
            c.busy = false;
            c.rest_until = now + rest;
        }
    }

    /// Drops an address that will never be useful (our own, or a peer of another torrent).
    pub(crate) fn forget(&mut self, addr: PeerAddr) {
        self.known.remove(&addr);
    }

    /// Drops the addresses that a private torrent must not use (BEP 27), and returns them, so that
    /// their connections are closed.
    pub(crate) fn forget_public(&mut self) -> Vec<PeerAddr> {
        self.known
            .extract_keys_if(|_, c| !c.history.source().suits_private())
    }

    /// Makes addresses available whose connections ended because neither side needed anything.
    pub(crate) fn wake(&mut self, now: Instant) {
        let resting = self
            .known
            .values_mut()
            .filter(|c| c.history.failures() == 0 && !c.busy);
        resting.for_each(|c| c.rest_until = c.rest_until.min(now));
    }

    /// Bans a peer permanently. Outside private networks this applies to the whole address (/64 for
    /// IPv6). Inside, where many peers share an address, it applies to that port and that peer id.
    pub(crate) fn ban(&mut self, who: PeerIdentity) {
        let addr = who.addr;
        bounded_insert(&mut self.banned_ids, who.peer_id);
        bounded_insert(&mut self.banned_addrs, addr);
        if !is_shared(addr) {
            bounded_insert(&mut self.banned_networks, network(addr));
        }
        let Self {
            known,
            banned_addrs,
            banned_networks,
            ..
        } = self;
        known.retain(|a, _| !banned_addrs.contains(a) && !banned_networks.contains(&network(*a)));
    }

    /// Whether this address is banned.
    pub(crate) fn is_banned(&self, addr: PeerAddr) -> bool {
        self.banned_addrs.contains(&addr) || self.banned_networks.contains(&network(addr))
    }

    /// Whether this peer is banned, by address or by peer id.
    pub(crate) fn is_banned_peer(&self, who: PeerIdentity) -> bool {
        self.is_banned(who.addr) || self.banned_ids.contains(&who.peer_id)
    }

    /// Whether this address is on the blocklist. If so, it is counted.
    pub(crate) fn is_blocked(&mut self, addr: PeerAddr) -> bool {
        let blocked = addr.ip().filter(|ip| self.blocklist.contains(*ip));
        if let Some(ip) = blocked
            && self.blocked.len() < BANS
        {
            self.blocked.insert(ip);
        }
        blocked.is_some()
    }

    /// The number of addresses that the blocklist kept away.
    pub(crate) fn blocked(&self) -> usize {
        self.blocked.len()
    }

    /// The number of addresses that are not connected.
    pub(crate) fn idle(&self) -> usize {
        self.known.values().filter(|c| !c.busy).count()
    }

    fn forget_worst(&mut self) {
        let idle = self.known.iter().filter(|(_, c)| !c.busy);
        let worst = idle.max_by_key(|(_, c)| c.precedence()).map(|(a, _)| *a);
        worst.map(|a| self.known.remove(&a));
    }
}

fn bounded_insert<T: Ord>(set: &mut SortedSet<T>, item: T) {
    if set.len() >= BANS {
        set.pop_first();
    }
    set.insert(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(limit: usize) -> Candidates {
        Candidates::new(limit, Arc::default())
    }

    fn socket_addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn addr(text: &str) -> PeerAddr {
        socket_addr(text).into()
    }

    fn who(text: &str, id: u8) -> PeerIdentity {
        PeerIdentity {
            addr: addr(text),
            peer_id: PeerId([id; 20]),
        }
    }

    fn told(c: &mut Candidates, at: &str, informant: &str) -> Result<(), Refused> {
        c.add_told(socket_addr(at), PexFlags::default(), addr(informant))
    }

    #[test]
    fn an_introduction_is_sought_three_times_and_only_to_a_peer_that_supports_it() {
        let mut c = candidates(100);
        let (at, informant) = (socket_addr("45.0.0.2:1"), addr("9.9.9.9:1"));
        told(&mut c, "45.0.0.2:1", "9.9.9.8:1").unwrap();
        assert!(!c.count_introduction(at.into()));
        let added = c.add_told(at, PexFlags::HOLEPUNCH, informant);
        assert_eq!(added, Err(Refused::Known));
        let sought = (0..10).filter(|_| c.count_introduction(at.into())).count();
        assert_eq!(sought, usize::from(INTRODUCTIONS));
    }

    #[test]
    fn nobody_can_be_at_port_zero_or_at_a_group() {
        let mut c = candidates(10);
        for text in [
            "1.2.3.4:0",
            "0.0.0.0:1",
            "224.0.0.1:6881",
            "255.255.255.255:1",
            "[ff02::1]:1",
            "[::]:1",
        ] {
            assert_eq!(
                c.add(addr(text), PeerSource::Tracker),
                Err(Refused::Unusable),
                "{text}"
            );
        }
        assert_eq!(c.add(addr("1.2.3.4:1"), PeerSource::Tracker), Ok(()));
        assert_eq!(
            c.add(addr("[::ffff:1.2.3.4]:1"), PeerSource::Tracker),
            Err(Refused::Known)
        );
    }

    #[test]
    fn a_failed_dial_rests_longer_every_time_and_is_forgotten_in_the_end() {
        let mut c = candidates(10);
        let a = addr("1.2.3.4:5");
        c.add(a, PeerSource::Tracker).unwrap();
        let mut now = Instant::ZERO;
        let mut rests = Vec::new();
        for _ in 0..GIVE_UP {
            assert_eq!(c.next(now, Ranking::default(), |_| false), Some(a));
            assert_eq!(c.next(now, Ranking::default(), |_| false), None);
            c.failed(now, a);
            rests.extend(c.next_rested().map(|t| t.since(now).as_secs()));
            now = now + Duration::from_secs(3600);
        }
        assert_eq!((rests, c.idle()), (vec![5, 20, 80, 320, 1280], 0));
    }

    #[test]
    fn a_ban_hits_the_household_outside_and_only_the_peer_inside_a_private_network() {
        let mut c = candidates(10);
        c.ban(who("9.9.9.9:1", 1));
        c.ban(who("127.0.0.1:1", 2));
        c.ban(who("[2001:db8::1]:1", 3));
        assert!(c.is_banned(addr("9.9.9.9:2")));
        assert!(c.is_banned(addr("[2001:db8::2]:7")) && !c.is_banned(addr("[2001:db8:0:1::1]:7")));
        assert!(c.is_banned(addr("127.0.0.1:1")) && !c.is_banned(addr("127.0.0.1:2")));
        assert!(
            c.is_banned_peer(who("127.0.0.1:9", 2)) && !c.is_banned_peer(who("127.0.0.1:9", 4))
        );
        assert_eq!(
            c.add(addr("9.9.9.9:3"), PeerSource::Pex),
            Err(Refused::Banned)
        );
    }

    #[test]
    fn an_address_of_the_blocklist_is_no_candidate_whoever_named_it() {
        let mut builder = crate::net::blocklist::Builder::default();
        builder.add_line(b"bad:9.9.9.0-9.9.9.255").unwrap();
        let (list, _) = builder.finish().unwrap();
        let mut c = Candidates::new(10, Arc::new(list));
        for source in [PeerSource::User, PeerSource::Tracker, PeerSource::Dht] {
            assert_eq!(c.add(addr("9.9.9.9:1"), source), Err(Refused::Blocked));
        }
        let told = told(&mut c, "9.9.9.8:1", "8.8.8.8:1");
        assert_eq!((told, c.blocked()), (Err(Refused::Blocked), 2));
        assert_eq!(c.add(addr("9.9.8.9:1"), PeerSource::Tracker), Ok(()));
    }

    #[test]
    fn one_informant_gives_at_most_a_quarter_of_the_addresses() {
        let mut c = candidates(100);
        let taken = (1..=60u16)
            .filter(|n| told(&mut c, &format!("45.0.0.1:{n}"), "9.9.9.9:1").is_ok())
            .count();
        assert_eq!(taken, 25);
        let mut from = |informant| told(&mut c, "45.0.0.2:1", informant);
        assert_eq!(from("9.9.9.9:1"), Err(Refused::Distrusted));
        assert_eq!(from("9.9.9.8:1"), Ok(()));
    }

    #[test]
    fn a_public_peer_does_not_know_who_is_in_a_private_network() {
        let mut c = candidates(100);
        for inside in [
            "192.168.1.1:1",
            "127.0.0.1:1",
            "[fe80::1]:1",
            "[::ffff:10.0.0.1]:1",
        ] {
            let mut from = |informant| told(&mut c, inside, informant);
            assert_eq!(from("9.9.9.9:1"), Err(Refused::Distrusted), "{inside}");
            assert_eq!(from("192.168.1.7:1"), Ok(()), "{inside}");
        }
    }

    #[test]
    fn a_private_torrent_keeps_only_what_its_trackers_and_its_user_said() {
        let mut c = candidates(100);
        let sources = [
            PeerSource::User,
            PeerSource::Link,
            PeerSource::Tracker,
            PeerSource::Dht,
            PeerSource::Lsd,
        ];
        for (n, source) in (1..).zip(sources) {
            c.add(PeerAddr::from(([45, 0, 0, 1], n)), source).unwrap();
        }
        told(&mut c, "45.0.0.1:6", "9.9.9.9:1").unwrap();
        assert_eq!(
            c.add(addr("45.0.0.1:4"), PeerSource::Tracker),
            Err(Refused::Known),
            "a tracker knows it, too"
        );
        let gone = c.forget_public();
        assert_eq!(gone, ["45.0.0.1:2", "45.0.0.1:5", "45.0.0.1:6"].map(addr));
    }

    #[test]
    fn beyond_the_bound_the_worst_is_forgotten() {
        let mut c = candidates(2);
        c.add(addr("1.1.1.1:1"), PeerSource::User).unwrap();
        c.add(addr("2.2.2.2:1"), PeerSource::Pex).unwrap();
        c.add(addr("3.3.3.3:1"), PeerSource::Tracker).unwrap();
        let next: Vec<_> =
            std::iter::from_fn(|| c.next(Instant::ZERO, Ranking::default(), |_| false)).collect();
        assert_eq!(next, [addr("1.1.1.1:1"), addr("3.3.3.3:1")]);
    }
}
