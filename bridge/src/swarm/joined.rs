//! One torrent that one tab has joined: who is in the swarm, and how many of them the tab wants.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::url::{Host, Url};
use aqueduct_core::discovery::{self, AddError, DhtCounts, Key};
use aqueduct_core::net::is_local;
use aqueduct_core::tunnel::{JoinRequest, JoinUpdate, PeerCounts, Server, TrackerCounts};
use aqueduct_core::types::{PeerAddr, PeerSource, TabId};
use aqueduct_core::wire::{Handshake, Reserved};
use aqueduct_native::discovery::{Membership, News};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::bridge::Bridge;
use crate::limits::bucket::Bucket;
use crate::limits::network::network_of;
use crate::swarm::candidates::{Candidates, Outcome};
use crate::swarm::registry::{Arrival, Seated};
use crate::swarm::tab_dial::Visit;
use crate::swarm::tracker_reports::TrackerReports;
use crate::tracker::Listing;

/// Tabs of this bridge, and what its own tracker knows though the torrent does not name it, count
/// as what was found on one's own network.
const NEARBY: PeerSource = PeerSource::Lsd;

/// Bytes that an address with its history and its place in the queue takes, about.
const CANDIDATE: usize = 200;

/// Who must go when a swarm turns out to be private (BEP 27).
#[derive(Debug)]
pub(crate) struct Parting {
    public: BTreeSet<PeerAddr>,
    /// Other tabs, also those that came to us.
    tabs: bool,
}

impl Parting {
    pub(crate) fn concerns(&self, addr: PeerAddr) -> bool {
        self.public.contains(&addr) || self.tabs && matches!(addr, PeerAddr::Tab(_))
    }
}

/// A join as the bridge keeps it. Dropping it leaves the swarm.
#[derive(Debug)]
pub(crate) struct Swarm {
    /// What the bridge says to peers on the tab's behalf.
    pub(crate) handshake: Handshake,
    candidates: Candidates,
    want: u16,
    /// BEP 27: peers come from trackers and from nowhere else.
    private: bool,
    /// A tracker has named this bridge as a peer: its other tabs are peers that a private swarm may
    /// have.
    named: bool,
    hints: Bucket,
    /// How often it may ask for more peers: each time all that is near is looked through.
    asks: Bucket,
    /// Its place in the bridge's own tracker.
    listing: Option<Listing>,
    membership: Membership,
    news: mpsc::Receiver<News>,
    /// Whether discovery has hung up; it does when the bridge stops.
    quiet: bool,
    pub(crate) counts: PeerCounts,
    /// Who dialled in and is still there.
    incoming: BTreeSet<PeerAddr>,
    told_peers: Option<PeerCounts>,
    trackers_told: TrackerReports,
    told_trackers: Option<TrackerCounts>,
    told_dht: Option<DhtCounts>,
    seat: Seated,
}

impl Swarm {
    /// Becomes a member, and asks for peers.
    pub(crate) fn join(
        bridge: &Arc<Bridge>,
        owner: u64,
        join: u32,
        request: JoinRequest,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Result<Self, AddError> {
        let JoinRequest {
            info_hash,
            peer_id,
            amounts,
            want,
            mut trackers,
            private,
        } = request;
        let tracking = bridge.tracking.as_ref();
        let listing = tracking.and_then(|tracking| {
            tracking.list(info_hash, amounts.left == Some(0), private, &mut trackers)
        });
        thin_out(&mut trackers, bridge.config.limits.trackers_per_host);
        let swarm = discovery::Swarm {
            trackers,
            peer_id,
            port: bridge.peer_port,
            amounts,
            private,
        };
        let (membership, news) = bridge.discovery.join(Key { info_hash, owner }, swarm)?;
        membership.request(DiscoverRequest::Start, amounts);
        let limits = &bridge.config.limits;
        let mut swarm = Self {
            handshake: Handshake {
                reserved: Reserved::OURS,
                info_hash,
                peer_id,
            },
            candidates: Candidates::new(limits.candidates),
            want,
            private,
            named: false,
            hints: Bucket::a_minute(limits.hints_per_minute, Instant::now()),
            asks: Bucket::a_minute(limits.asks_per_minute, Instant::now()),
            listing,
            membership,
            news,
            quiet: false,
            counts: PeerCounts::default(),
            incoming: BTreeSet::new(),
            told_peers: None,
            trackers_told: TrackerReports::default(),
            told_trackers: None,
            told_dht: None,
            seat: bridge
                .registry
                .sit(info_hash, peer_id, join, arrivals, !private),
        };
        swarm.look_around();
        swarm.ask_own_tracker(bridge);
        Ok(swarm)
    }

    /// Bytes that its candidates take, about.
    pub(crate) fn held(&self) -> usize {
        self.candidates.len() * CANDIDATE
    }

    /// Takes over what the tab says. Returns who must go, because the swarm has just turned out to
    /// be private.
    pub(crate) fn update(&mut self, update: &JoinUpdate, bridge: &Bridge) -> Option<Parting> {
        self.want = update.want;
        let parting = (update.private && !self.private).then(|| self.become_private());
        if update.completed || update.amounts.left == Some(0) {
            self.listing.iter_mut().for_each(Listing::complete);
        }
        let more = update.more && self.asks.take(Instant::now()).is_ok();
        if more {
            self.look_around();
            self.ask_own_tracker(bridge);
        }
        match (update.completed, more) {
            (true, _) => self
                .membership
                .request(DiscoverRequest::Completed, update.amounts),
            (false, true) => self
                .membership
                .request(DiscoverRequest::More, update.amounts),
            (false, false) => self.membership.update(update.amounts),
        }
        parting
    }

    /// BEP 27: from now on peers come from trackers. Returns those that came in another way.
    fn become_private(&mut self) -> Parting {
        self.private = true;
        self.membership.set_private();
        self.seat.set_meets(self.named);
        self.listing.take_if(|listing| !listing.is_named());
        Parting {
            public: self.candidates.forget_public(),
            tabs: !self.named,
        }
    }

    /// Other tabs of this bridge are peers to go to; but those of a private swarm only once a
    /// tracker has named this bridge.
    fn look_around(&mut self) {
        let (now, source) = (
            Instant::now(),
            if self.named {
                PeerSource::Tracker
            } else {
                NEARBY
            },
        );
        let neighbours = if self.private && !self.named {
            Vec::new()
        } else {
            self.seat.neighbours()
        };
        for addr in neighbours.into_iter().map(PeerAddr::Tab) {
            self.counts.found += u32::from(self.candidates.add(addr, source, Some(now)));
        }
    }

    fn meet_others(&mut self) {
        self.named = true;
        self.seat.set_meets(true);
        self.look_around();
    }

    /// The bridge's own tracker is asked without a socket. Where it is the torrent's own, it also
    /// introduces tabs of a private swarm.
    fn ask_own_tracker(&mut self, bridge: &Bridge) {
        let Some(listing) = &mut self.listing else {
            return;
        };
        let peers = listing.peers();
        let source = if listing.is_named() {
            PeerSource::Tracker
        } else {
            NEARBY
        };
        if source.suits_private() {
            self.meet_others();
        }
        self.add(&peers, source, bridge);
    }

    /// Somebody to meet inside the bridge.
    pub(crate) fn visit(&self, tab: TabId) -> Visit {
        Visit::new(&self.seat, tab, self.handshake)
    }

    /// Waits for news, and takes them in.
    pub(crate) fn poll_news(&mut self, cx: &mut Context<'_>, bridge: &Bridge) -> Poll<()> {
        if self.quiet {
            return Poll::Pending;
        }
        match std::task::ready!(self.news.poll_recv(cx)) {
            Some(News::Peers { addrs, source }) => self.add(&addrs, source, bridge),
            Some(News::Tracker { .. } | News::Dht | News::ExternalIp(_)) => {}
            None => self.quiet = true,
        }
        Poll::Ready(())
    }

    fn add(&mut self, addrs: &[SocketAddr], source: PeerSource, bridge: &Bridge) {
        let now = Instant::now();
        // The DHT's last word may come after the swarm turned out to be private.
        if self.private && !source.suits_private() {
            return;
        }
        if source.suits_private() && addrs.iter().any(|addr| bridge.is_itself(*addr)) {
            self.meet_others();
        }
        for &addr in addrs.iter().filter(|addr| !bridge.is_itself(**addr)) {
            let refused = bridge.filter.allowed(addr).is_err();
            if self
                .candidates
                .add(addr.into(), source, (!refused).then_some(now))
            {
                self.counts.found += 1;
                self.counts.refused += u32::from(refused);
                bridge.metrics.filtered_total.add(usize::from(refused));
            }
        }
    }

    /// Takes in what the tab heard of its peers; too much of it, and what concerns a private swarm,
    /// is passed over.
    pub(crate) fn hint(&mut self, addrs: &[SocketAddr], bridge: &Bridge) {
        let now = Instant::now();
        if self.private || self.hints.take(now).is_err() {
            return;
        }
        for &addr in addrs {
            let refused = bridge.is_itself(addr) || bridge.filter.allowed(addr).is_err();
            bridge.metrics.filtered_total.add(usize::from(refused));
            self.counts.found += u32::from(!refused && self.candidates.add_hint(addr.into(), now));
        }
    }

    /// Whether the tab has fewer peers than it wants.
    pub(crate) fn wants_more(&self) -> bool {
        self.counts.connected + self.counts.dialling < self.want.into()
    }

    /// The next address to dial, if the tab wants more peers.
    pub(crate) fn take(&mut self, now: Instant) -> Option<PeerAddr> {
        let addr = self
            .wants_more()
            .then(|| self.candidates.take(now))
            .flatten()?;
        self.counts.dialling += 1;
        Some(addr)
    }

    /// When [`Swarm::take`] will have something.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.wants_more()
            .then(|| self.candidates.next_due())
            .flatten()
    }

    /// A dial led to nothing.
    pub(crate) fn dial_failed(&mut self, addr: PeerAddr, outcome: Outcome) {
        self.counts.dialling = self.counts.dialling.saturating_sub(1);
        self.counts.failed += u32::from(outcome == Outcome::Failed);
        self.candidates.ended(addr, outcome, Instant::now());
    }

    /// A dial succeeded. Returns whether the peer is still of use: the swarm may have turned out to
    /// be private meanwhile.
    pub(crate) fn dial_succeeded(&mut self, addr: PeerAddr) -> bool {
        self.counts.dialling = self.counts.dialling.saturating_sub(1);
        let wanted = self.candidates.knows(addr);
        self.counts.connected += u32::from(wanted);
        wanted
    }

    /// A peer was not dialled, because its host is busy: nothing there is dialled before this time.
    pub(crate) fn put_off(&mut self, addr: PeerAddr, until: Instant) {
        self.counts.dialling = self.counts.dialling.saturating_sub(1);
        self.candidates.put_off(addr, Instant::now(), until);
    }

    /// Takes in a peer that dialled in, if the tab wants more peers. As long as there are others to
    /// dial, half of the places are theirs; and one address has one place, or in a private network,
    /// where it may stand for several peers, a quarter of them.
    pub(crate) fn welcome(&mut self, addr: PeerAddr) -> bool {
        let (want, host) = (usize::from(self.want), addr.ip().map(network_of));
        let of_one_host = if addr.ip().is_some_and(is_local) {
            (want / 4).max(1)
        } else {
            1
        };
        let same_host = self
            .incoming
            .iter()
            .filter(|other| other.ip().map(network_of) == host)
            .count();
        let kept = self.candidates.waiting().min(want / 2);
        let connected = usize::try_from(self.counts.connected).unwrap_or(usize::MAX);
        let welcome =
            connected < want && self.incoming.len() + kept < want && same_host < of_one_host;
        if welcome {
            self.incoming.insert(addr);
            self.counts.connected += 1;
        }
        welcome
    }

    /// A stream ended.
    pub(crate) fn closed(&mut self, addr: PeerAddr, outcome: Outcome) {
        self.counts.connected = self.counts.connected.saturating_sub(1);
        self.incoming.remove(&addr);
        self.candidates.ended(addr, outcome, Instant::now());
    }

    /// When time alone changes what the tab is to be told.
    pub(crate) fn tell_at(&self, bridge: &Bridge) -> Option<Instant> {
        self.trackers_told.next_change(bridge)
    }

    /// Tells the tab what it has not been told yet.
    pub(crate) fn tell(&mut self, bridge: &Bridge, join: u32, tunnel: &mut Server) {
        let mut trackers = self
            .trackers_told
            .count(&self.membership.trackers(), bridge);
        let own = self.listing.as_ref().filter(|listing| listing.is_named());
        own.into_iter()
            .for_each(|listing| count_own(listing, &mut trackers));
        if let Some(counts) = changed(&mut self.told_trackers, Some(trackers)) {
            tunnel.trackers(join, &counts);
        }
        if let Some(counts) = changed(&mut self.told_dht, self.membership.dht()) {
            tunnel.dht(join, &counts);
        }
        if let Some(counts) = changed(&mut self.told_peers, Some(self.counts)) {
            tunnel.peers(join, &counts);
        }
    }
}

/// Leaves so many trackers at one host. What is no URL stays: the tab is told that it cannot be
/// asked.
fn thin_out(trackers: &mut [Vec<String>], each: usize) {
    let mut seen: BTreeMap<Host, usize> = BTreeMap::new();
    for tier in trackers {
        tier.retain(|url| {
            let Ok(url) = Url::parse(url) else {
                return true;
            };
            let count = seen.entry(url.host).or_default();
            *count += 1;
            *count <= each
        });
    }
}

/// What is now, if it was not told before.
fn changed<T: Copy + PartialEq>(told: &mut Option<T>, now: Option<T>) -> Option<T> {
    let news = now.filter(|_| *told != now);
    *told = now;
    news
}

/// The bridge's own tracker, if the torrent names it, is one that answered.
fn count_own(listing: &Listing, counts: &mut TrackerCounts) {
    let (swarm, found) = listing.counts();
    counts.total = counts.total.saturating_add(1);
    counts.answered += 1;
    counts.empty += u16::from(found == 0);
    counts.seeders = counts.seeders.max(swarm.seeders);
    counts.leechers = counts.leechers.max(swarm.leechers);
}
