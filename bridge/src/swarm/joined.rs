//! A swarm that a tab has joined.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::url::{Host, Url};
use aqueduct_core::discovery::{self, AddError, Key};
use aqueduct_core::net::Limit;
use aqueduct_core::tunnel::{JoinRequest, JoinUpdate, Server};
use aqueduct_core::types::{PeerAddr, PeerSource, TabId};
use aqueduct_core::wire::{Handshake, Reserved};
use aqueduct_native::discovery::{Membership, News};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::bucket::Bucket;
use crate::swarm::candidates::{Candidates, Outcome};
use crate::swarm::context::SwarmContext;
use crate::swarm::left::LeftSwarm;
use crate::swarm::places::Places;
use crate::swarm::privacy::Privacy;
use crate::swarm::registry::{Arrival, Registration};
use crate::swarm::reports::Reports;
use crate::swarm::tab_dial::TabDial;
use crate::tracker::Listing;

/// The peers that a swarm must drop when it turns out to be private (BEP 27).
#[derive(Debug)]
pub(crate) struct PublicPeers {
    addrs: BTreeSet<PeerAddr>,
    /// All other tabs, including those that connected to us.
    tabs: bool,
}

impl PublicPeers {
    pub(crate) fn contain(&self, addr: PeerAddr) -> bool {
        self.addrs.contains(&addr) || self.tabs && matches!(addr, PeerAddr::Tab(_))
    }
}

/// The bridge's state of a join. Dropping it leaves the swarm.
#[derive(Debug)]
pub(crate) struct JoinedSwarm {
    /// The handshake on the tab's behalf.
    handshake: Handshake,
    candidates: Candidates,
    places: Places,
    privacy: Privacy,
    budget: Budget,
    /// Its entry in the bridge's own tracker.
    listing: Option<Listing>,
    discovery: Discovery,
    reports: Reports,
    registration: Registration,
}

/// Limits on what the tab may cause in one swarm.
#[derive(Debug)]
struct Budget {
    hints: Bucket,
    /// Requests for more peers, each of which searches all nearby tabs.
    asks: Bucket,
}

impl Budget {
    fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            hints: Bucket::new(Limit::per_minute(limits.hints_per_minute.into()), now),
            asks: Bucket::new(Limit::per_minute(limits.asks_per_minute.into()), now),
        }
    }
}

/// The swarm's membership in discovery, with its results.
#[derive(Debug)]
struct Discovery {
    membership: Membership,
    news: mpsc::Receiver<News>,
    /// Whether discovery has ended, because the bridge is stopping.
    ended: bool,
}

impl Discovery {
    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Option<News>> {
        if self.ended {
            return Poll::Pending;
        }
        let news = std::task::ready!(self.news.poll_recv(cx));
        self.ended = news.is_none();
        Poll::Ready(news)
    }
}

impl JoinedSwarm {
    /// Joins the swarm and requests peers. `owner` is the session, and `left` what it keeps of an
    /// earlier membership.
    pub(crate) fn join(
        context: &Arc<SwarmContext>,
        (owner, join): (u64, u32),
        mut request: JoinRequest,
        left: Option<LeftSwarm>,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Result<Self, AddError> {
        let (info_hash, peer_id) = (request.info_hash, request.peer_id);
        let listing = list(context, &mut request);
        limit_trackers_per_host(&mut request.trackers, context.limits.trackers_per_host);
        let swarm = discovery::Swarm {
            trackers: request.trackers,
            peer_id,
            port: context.peer_port,
            amounts: request.amounts,
            private: request.private,
        };
        let (membership, news) = context.discovery.join(Key { info_hash, owner }, swarm)?;
        membership.request(DiscoverRequest::Start, request.amounts);
        let privacy = Privacy::new(request.private);
        let mut swarm = Self {
            handshake: Handshake {
                reserved: Reserved::OURS,
                info_hash,
                peer_id,
            },
            candidates: Candidates::new(context.limits.candidates),
            places: Places::new(request.want),
            privacy,
            budget: Budget::new(&context.limits, Instant::now()),
            listing,
            discovery: Discovery {
                membership,
                news,
                ended: false,
            },
            reports: Reports::default(),
            registration: context.registry.register(
                (info_hash, request.other_hash),
                peer_id,
                join,
                arrivals,
                privacy.allows_tabs(),
            ),
        };
        if let Some(left) = left {
            swarm.recall(left, context);
        }
        swarm.find_tabs();
        swarm.ask_own_tracker(context);
        Ok(swarm)
    }

    /// Leaves the swarm. Returns what is kept for another membership.
    pub(crate) fn leave(self) -> LeftSwarm {
        LeftSwarm {
            info_hash: self.handshake.info_hash,
            peers: self.candidates.remembered(),
            tracker_names_bridge: self.privacy.tracker_names_bridge(),
        }
    }

    /// Adds the peers of an earlier membership, as far as the swarm may have them now.
    fn recall(&mut self, left: LeftSwarm, context: &SwarmContext) {
        let now = Instant::now();
        if left.tracker_names_bridge {
            self.allow_tabs();
        }
        for known in left.peers {
            let addr = known.addr.socket_addr();
            let refused = addr.is_none_or(|addr| context.filter.allowed(addr).is_err());
            if self.privacy.allows(known.history.source())
                && self.candidates.recall(known, (!refused).then_some(now))
            {
                self.places.found(refused);
            }
        }
    }

    /// The handshake for peers.
    pub(crate) const fn handshake(&self) -> Handshake {
        self.handshake
    }

    /// The number of addresses that it knows.
    pub(crate) fn peers(&self) -> usize {
        self.candidates.len()
    }

    /// Applies an update by the tab. Returns the peers to drop, if the swarm turned out to be
    /// private.
    pub(crate) fn update(
        &mut self,
        update: &JoinUpdate,
        context: &SwarmContext,
    ) -> Option<PublicPeers> {
        self.places.set_want(update.want);
        let dropped = (update.private && self.privacy.set_private()).then(|| self.drop_public());
        if update.completed || update.amounts.left == Some(0) {
            self.listing.iter_mut().for_each(Listing::complete);
        }
        let more = update.more && self.budget.asks.take(Instant::now()).is_ok();
        if more {
            self.find_tabs();
            self.ask_own_tracker(context);
        }
        let membership = &self.discovery.membership;
        match (update.completed, more) {
            (true, _) => membership.request(DiscoverRequest::Completed, update.amounts),
            (false, true) => membership.request(DiscoverRequest::More, update.amounts),
            (false, false) => membership.update(update.amounts),
        }
        dropped
    }

    /// BEP 27: restricts peers to those from trackers. Returns all others.
    fn drop_public(&mut self) -> PublicPeers {
        self.discovery.membership.set_private();
        self.registration
            .set_accepts_tabs(self.privacy.allows_tabs());
        self.listing.take_if(|listing| !listing.is_named());
        PublicPeers {
            addrs: self.candidates.forget_public(),
            tabs: !self.privacy.allows_tabs(),
        }
    }

    /// Adds the other tabs of this bridge.
    fn find_tabs(&mut self) {
        if !self.privacy.allows_tabs() {
            return;
        }
        let (now, source) = (Instant::now(), self.privacy.source_of_tabs());
        for tab in self.registration.neighbours() {
            if self.candidates.add(PeerAddr::Tab(tab), source, Some(now)) {
                self.places.found(false);
            }
        }
    }

    /// Permits tabs as peers, because a tracker returned this bridge as a peer.
    fn allow_tabs(&mut self) {
        self.privacy.set_tracker_names_bridge();
        self.registration.set_accepts_tabs(true);
        self.find_tabs();
    }

    /// Queries the bridge's own tracker without a socket.
    fn ask_own_tracker(&mut self, context: &SwarmContext) {
        let Some(listing) = &mut self.listing else {
            return;
        };
        let peers = listing.peers();
        let source = Privacy::source_of_own_tracker(listing.is_named());
        if source.suits_private() {
            self.allow_tabs();
        }
        self.add(&peers, source, context);
    }

    /// A connection to another tab of this bridge.
    pub(crate) fn dial_tab(&self, tab: TabId) -> TabDial {
        TabDial::new(&self.registration, tab, self.handshake)
    }

    /// Waits for results of discovery and applies them.
    pub(crate) fn poll_news(&mut self, cx: &mut Context<'_>, context: &SwarmContext) -> Poll<()> {
        if let Some(News::Peers { addrs, source }) = std::task::ready!(self.discovery.poll_news(cx))
        {
            self.add(&addrs, source, context);
        }
        Poll::Ready(())
    }

    fn add(&mut self, addrs: &[SocketAddr], source: PeerSource, context: &SwarmContext) {
        let now = Instant::now();
        // The DHT may still answer after the swarm turned out to be private.
        if !self.privacy.allows(source) {
            return;
        }
        if source.suits_private() && addrs.iter().any(|addr| context.is_own_address(*addr)) {
            self.allow_tabs();
        }
        for &addr in addrs.iter().filter(|addr| !context.is_own_address(**addr)) {
            let refused = context.filter.allowed(addr).is_err();
            if self
                .candidates
                .add(addr.into(), source, (!refused).then_some(now))
            {
                self.places.found(refused);
                context
                    .metrics
                    .peers
                    .filtered_total
                    .add(usize::from(refused));
            }
        }
    }

    /// Adds addresses that the tab learned from its peers. Hints beyond the limit, and all for a
    /// private swarm, are ignored.
    pub(crate) fn hint(&mut self, addrs: &[SocketAddr], context: &SwarmContext) {
        let now = Instant::now();
        if self.privacy.is_private() || self.budget.hints.take(now).is_err() {
            return;
        }
        for &addr in addrs {
            let refused = context.is_own_address(addr) || context.filter.allowed(addr).is_err();
            let refused_total = &context.metrics.peers.filtered_total;
            refused_total.add(usize::from(refused));
            if !refused && self.candidates.add_hint(addr.into(), now) {
                self.places.found(false);
            }
        }
    }

    /// The next address to dial, if the tab wants more peers. It occupies a slot from now on.
    pub(crate) fn take(&mut self, now: Instant) -> Option<PeerAddr> {
        let addr = self
            .places
            .has_room()
            .then(|| self.candidates.take(now))
            .flatten()?;
        self.places.dial_started();
        Some(addr)
    }

    /// When [`JoinedSwarm::take`] will return something.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.places
            .has_room()
            .then(|| self.candidates.next_due())
            .flatten()
    }

    /// Records a failed dial.
    pub(crate) fn dial_failed(&mut self, addr: PeerAddr, outcome: Outcome) {
        self.places
            .dial_ended(matches!(outcome, Outcome::Failed(_)));
        self.candidates.ended(addr, outcome, Instant::now());
    }

    /// Records a successful dial. Returns whether the peer is still wanted, since the swarm may
    /// have turned out to be private in the meantime.
    pub(crate) fn dial_succeeded(&mut self, addr: PeerAddr) -> bool {
        self.places.dial_ended(false);
        self.take_connected(addr)
    }

    /// Records a dial that succeeded after its slot was given up. Returns whether there is still a
    /// slot.
    pub(crate) fn late_dial_succeeded(&mut self, addr: PeerAddr) -> bool {
        self.places.has_room() && self.take_connected(addr)
    }

    fn take_connected(&mut self, addr: PeerAddr) -> bool {
        let known = self.candidates.connected(addr);
        if known {
            self.places.connected();
        }
        known
    }

    /// Postpones a peer whose host is busy: no address of that host is dialled before `until`.
    pub(crate) fn postpone(&mut self, addr: PeerAddr, until: Instant) {
        self.places.dial_ended(false);
        self.candidates.postpone(addr, Instant::now(), until);
    }

    /// Admits a dialling peer; false if the tab wants no more peers.
    pub(crate) fn admit_incoming(&mut self, addr: PeerAddr) -> bool {
        self.places.admit_incoming(addr, self.candidates.waiting())
    }

    /// Accepts a connection of another tab; false if this tab wants no more peers, or the other has
    /// given up.
    pub(crate) fn admit_tab(&mut self, answer: oneshot::Sender<()>) -> bool {
        let admitted = self.places.has_room() && answer.send(()).is_ok();
        if admitted {
            self.places.connected();
        }
        admitted
    }

    /// A stream ended.
    pub(crate) fn disconnected(&mut self, addr: PeerAddr, outcome: Outcome) {
        self.places.disconnected(addr);
        self.candidates.ended(addr, outcome, Instant::now());
    }

    /// When the passing of time changes a report.
    pub(crate) fn next_report(&self, context: &SwarmContext) -> Option<Instant> {
        self.reports.next_change(context)
    }

    /// Reports changes to the tab.
    pub(crate) fn report(&mut self, context: &SwarmContext, join: u32, tunnel: &mut Server) {
        let membership = &self.discovery.membership;
        let own = self.listing.as_ref().filter(|listing| listing.is_named());
        self.reports
            .report_trackers(join, &membership.trackers(), own, context, tunnel);
        self.reports.report_dht(join, membership.dht(), tunnel);
        self.reports
            .report_peers(join, self.places.counts(), tunnel);
    }
}

/// An entry in the bridge's own tracker, whose URLs are removed from the request.
fn list(context: &SwarmContext, request: &mut JoinRequest) -> Option<Listing> {
    let seed = request.amounts.left == Some(0);
    Listing::new(
        context.tracker.as_ref()?,
        request.info_hash,
        seed,
        request.private,
        &mut request.trackers,
    )
}

/// Limits the number of trackers per host. Invalid URLs are kept, since they are reported to the
/// tab.
fn limit_trackers_per_host(trackers: &mut [Vec<String>], limit: usize) {
    let mut seen: BTreeMap<Host, usize> = BTreeMap::new();
    for tier in trackers {
        tier.retain(|url| {
            let Ok(url) = Url::parse(url) else {
                return true;
            };
            let count = seen.entry(url.host).or_default();
            *count += 1;
            *count <= limit
        });
    }
}
