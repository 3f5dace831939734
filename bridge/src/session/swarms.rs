//! The swarms of a session, and the peers that are found, dialled and accepted for them.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aqueduct_core::discovery::AddError;
use aqueduct_core::tunnel::{JoinRequest, JoinUpdate, Server};
use aqueduct_core::types::PeerAddr;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::swarm::candidates::Outcome;
use crate::swarm::connected::Connected;
use crate::swarm::context::SwarmContext;
use crate::swarm::dials::{DialEvent, DialResult, Dials, HostBusy};
use crate::swarm::joined::{JoinedSwarm, PublicPeers};
use crate::swarm::left::LeftSwarms;
use crate::swarm::registry::Arrival;

/// The maximum number of connected peers that wait to be accepted.
const MAX_ARRIVALS: usize = 16;
/// The minimum time between two reports on the same swarms.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// An estimate of the bytes per address of a peer, with its history and its queue entry.
const PEER_SIZE: usize = 200;

/// All swarms of one session.
pub(crate) struct Swarms {
    context: Arc<SwarmContext>,
    session: u64,
    joined: BTreeMap<u32, JoinedSwarm>,
    /// Until their trackers may be asked again. With those that are joined, at most as many as may
    /// be joined.
    left: LeftSwarms,
    dials: Dials,
    /// When a delayed dial may be made.
    next_dial: Option<Instant>,
    reports: ReportSchedule,
    arrivals: mpsc::Receiver<Arrival>,
    /// For entries in the registry.
    arrivals_sender: mpsc::Sender<Arrival>,
    /// Whether a change may permit a dial, or must be reported to the tab.
    changed: bool,
    stopped: bool,
}

/// When the tab receives reports on its swarms.
#[derive(Debug)]
struct ReportSchedule {
    last: Instant,
    next: Option<Instant>,
}

/// An event in one of the swarms.
pub(crate) enum SwarmEvent {
    Dial(DialEvent),
    Arrival(Arrival),
    News,
}

/// A peer for which a stream is to be opened.
pub(crate) struct NewPeer {
    pub(crate) join: u32,
    pub(crate) addr: PeerAddr,
    /// Whether other peers can connect to its address.
    pub(crate) dialled: bool,
    pub(crate) connected: Connected,
}

impl Swarms {
    /// For the session of this number, whose client has this address.
    pub(crate) fn new(context: &Arc<SwarmContext>, session: u64, ip: IpAddr) -> Self {
        let (arrivals_sender, arrivals) = mpsc::channel(MAX_ARRIVALS);
        Self {
            context: Arc::clone(context),
            session,
            joined: BTreeMap::new(),
            left: LeftSwarms::default(),
            dials: Dials::new(context, session, ip),
            next_dial: None,
            reports: ReportSchedule {
                last: Instant::now(),
                next: None,
            },
            arrivals,
            arrivals_sender,
            changed: false,
            stopped: false,
        }
    }

    /// Joins a swarm.
    ///
    /// # Errors
    /// The session has already joined it; a second membership would only compete with the first one
    /// for the same peers.
    pub(crate) fn join(&mut self, join: u32, request: JoinRequest) -> Result<(), AddError> {
        let arrivals = self.arrivals_sender.clone();
        let left = self.left.take(request.info_hash);
        let numbers = (self.session, join);
        let swarm = JoinedSwarm::join(&self.context, numbers, request, left, arrivals)?;
        self.joined.insert(join, swarm);
        self.limit_left();
        self.changed = true;
        Ok(())
    }

    /// Applies an update by the tab. Returns the peers to drop, if the swarm turned out to be
    /// private.
    pub(crate) fn update(&mut self, join: u32, update: &JoinUpdate) -> Option<PublicPeers> {
        let swarm = self.joined.get_mut(&join)?;
        self.changed = true;
        swarm.update(update, &self.context)
    }

    /// Adds addresses that the tab learned from its peers.
    pub(crate) fn hint(&mut self, join: u32, addrs: &[SocketAddr]) {
        if let Some(swarm) = self.joined.get_mut(&join) {
            swarm.hint(addrs, &self.context);
            self.changed = true;
        }
    }

    /// Leaves a swarm.
    pub(crate) fn leave(&mut self, join: u32) {
        if let Some(swarm) = self.joined.remove(&join) {
            let until = Instant::now() + self.context.limits.announce_interval.0;
            self.left.add(swarm.leave(), until);
            self.limit_left();
        }
    }

    fn limit_left(&mut self) {
        let limit = usize::from(self.context.limits.joins_per_session);
        self.left.limit_to(limit.saturating_sub(self.joined.len()));
    }

    /// An estimate of the bytes that the addresses of peers take.
    pub(crate) fn memory(&self) -> usize {
        let joined: usize = self.joined.values().map(JoinedSwarm::peers).sum();
        (joined + self.left.peers()) * PEER_SIZE
    }

    /// The next event. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> SwarmEvent {
        tokio::select! {
            dial = self.dials.next() => SwarmEvent::Dial(dial),
            Some(arrival) = self.arrivals.recv() => SwarmEvent::Arrival(arrival),
            () = news(&mut self.joined, &self.context) => SwarmEvent::News,
        }
    }

    /// Handles an event. `streams` is the session's number of peers. Returns a new peer, if there
    /// is one.
    pub(crate) fn handle(&mut self, event: SwarmEvent, streams: usize) -> Option<NewPeer> {
        self.changed = true;
        match event {
            SwarmEvent::Dial(event) => self.handle_dial(event, streams),
            SwarmEvent::Arrival(arrival) => self.handle_arrival(arrival, streams),
            SwarmEvent::News => None,
        }
    }

    fn handle_dial(&mut self, event: DialEvent, streams: usize) -> Option<NewPeer> {
        let DialEvent { join, addr, result } = event;
        let has_room = self.has_room(streams);
        let swarm = self.joined.get_mut(&join)?;
        let connected = match result {
            DialResult::Connected(connected) if swarm.dial_succeeded(addr) => connected,
            DialResult::ConnectedLate(connected) if has_room && swarm.late_dial_succeeded(addr) => {
                connected
            }
            DialResult::Connected(_) | DialResult::ConnectedLate(_) => return None,
            DialResult::Failed(outcome) => {
                let failed = !matches!(outcome, Outcome::NotNow(_));
                let failed_total = &self.context.metrics.peers.failed_dials_total;
                failed_total.add(usize::from(failed));
                swarm.dial_failed(addr, outcome);
                return None;
            }
        };
        Some(NewPeer {
            join,
            addr,
            // Nothing listens at the address of a tab.
            dialled: matches!(addr, PeerAddr::Ip(_)),
            connected,
        })
    }

    fn handle_arrival(&mut self, arrival: Arrival, streams: usize) -> Option<NewPeer> {
        let has_room = !self.stopped && self.has_room(streams);
        let swarm = self.joined.get_mut(&arrival.join).filter(|_| has_room)?;
        let admitted = if let Some(answer) = arrival.answer {
            let admitted = swarm.admit_tab(answer);
            let pairs = &self.context.metrics.peers.tab_pairs_total;
            pairs.add(usize::from(admitted));
            admitted
        } else {
            swarm.admit_incoming(arrival.addr)
        };
        admitted.then_some(NewPeer {
            join: arrival.join,
            addr: arrival.addr,
            dialled: false,
            connected: arrival.connected,
        })
    }

    /// A stream ended.
    pub(crate) fn disconnected(&mut self, join: u32, addr: PeerAddr, outcome: Outcome) {
        self.changed = true;
        if let Some(swarm) = self.joined.get_mut(&join) {
            swarm.disconnected(addr, outcome);
        }
    }

    /// Starts the dials that are possible now, and schedules a report if anything has changed. Call
    /// it once after any number of changes.
    pub(crate) fn settle(&mut self, streams: usize) {
        if std::mem::take(&mut self.changed) {
            self.dial_peers(streams);
            self.reports.plan(self.reports.last + REPORT_INTERVAL);
        }
    }

    /// When [`Swarms::handle_timeout`] must be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.next_dial, self.reports.next, self.left.next_end()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Handles what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, streams: usize, tunnel: &mut Server) {
        self.left.expire(now);
        if self.next_dial.is_some_and(|at| at <= now) {
            self.dial_peers(streams);
        }
        if self.reports.next.is_some_and(|at| at <= now) {
            self.report(now, tunnel);
        }
    }

    /// Stops dialling and accepting peers.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.dials.abort_all();
    }

    /// Dials as many peers as the swarms want and the rates allow, with the swarms taking turns.
    fn dial_peers(&mut self, streams: usize) {
        let now = Instant::now();
        let joins: Vec<u32> = self.joined.keys().copied().collect();
        let mut dialled = true;
        while dialled {
            dialled = false;
            for join in &joins {
                dialled |= self.dial_next(*join, now, streams);
            }
        }
        let swarms = self.joined.values();
        let due = swarms.filter_map(JoinedSwarm::next_due).min();
        let due = due.filter(|_| self.may_dial(streams));
        self.next_dial = due.map(|due| due.max(self.dials.next_at(now).unwrap_or(due)));
    }

    fn may_dial(&self, streams: usize) -> bool {
        !self.stopped && self.dials.has_room() && self.has_room(streams)
    }

    /// Whether the session may have another peer, dials in progress included.
    fn has_room(&self, streams: usize) -> bool {
        self.dials.count() + streams < usize::from(self.context.limits.peers_per_session)
    }

    /// Dials a peer of a swarm, or postpones it; false if there is none or it is too early.
    fn dial_next(&mut self, join: u32, now: Instant, streams: usize) -> bool {
        if !self.may_dial(streams) || self.dials.next_at(now).is_some() {
            return false;
        }
        let Some(swarm) = self.joined.get_mut(&join) else {
            return false;
        };
        let Some(addr) = swarm.take(now) else {
            return false;
        };
        let handshake = swarm.handshake();
        match addr {
            PeerAddr::Tab(tab) => self.dials.start_tab(join, tab, swarm.dial_tab(tab)),
            PeerAddr::Ip(ip) => {
                if let Err(HostBusy { until }) = self.dials.start(join, ip, handshake) {
                    swarm.postpone(addr, until);
                }
            }
        }
        true
    }

    /// Reports changes of its swarms to the tab.
    fn report(&mut self, now: Instant, tunnel: &mut Server) {
        self.reports = ReportSchedule {
            last: now,
            next: None,
        };
        for (join, swarm) in &mut self.joined {
            swarm.report(&self.context, *join, tunnel);
        }
        let swarms = self.joined.values();
        self.reports.next = swarms
            .filter_map(|swarm| swarm.next_report(&self.context))
            .min();
    }
}

impl ReportSchedule {
    /// Schedules a report for this time at the latest.
    fn plan(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// Waits for a report of discovery on one of the swarms.
async fn news(joined: &mut BTreeMap<u32, JoinedSwarm>, context: &SwarmContext) {
    poll_fn(|cx| {
        let mut swarms = joined.values_mut();
        match swarms.any(|swarm| swarm.poll_news(cx, context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
