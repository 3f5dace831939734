//! The world: hosts, links, the tracker, and the event queue.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{PeerAddr, PeerSource, Piece, RequestId, TorrentId};
use aqueduct_core::{
    Command, CommandError, Event, FileChange, Input, Instant, OpError, Output, PriorityRange,
    Resumed, discovery, session,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};

use super::clock::Agenda;
use super::conn::{Arrival, Link};
use super::host::{Host, HostId, TORRENT};
use super::plan::Plan;
use super::tracker::SimTracker;
use super::udp::Udp;
use super::{check, trace};
use crate::torrent::Computed;

/// A scheduled event. Events that concern a host name the start that they were scheduled for.
pub(super) enum ScheduledEvent {
    /// A host's deadline.
    Wake(HostId, u32),
    /// Something arrives over a link.
    Arrives(u64, Arrival),
    /// Bytes left a host's queue for its access line.
    Departed { link: u64, side: usize },
    /// A disk operation completes.
    Done(HostId, u32, RequestId),
    /// What a host asked the network for comes back.
    Net(HostId, u32, discovery::Input),
    /// A datagram of discovery arrives, whatever life the host is in.
    Datagram(HostId, discovery::Input),
    /// A datagram of uTP reaches its destination.
    UtpDatagram {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// A host's UDP port has something to send, or a deadline.
    Udp(HostId),
    /// A bad peer sends its additional message.
    InvalidMessages(HostId, u32),
    /// A call by the test.
    Call(Box<dyn FnOnce(&mut World)>),
}

/// Engines in a simulated network. The seed determines everything.
pub struct World {
    pub(super) seed: u64,
    pub(super) rng: ChaCha8Rng,
    pub(super) agenda: Agenda<ScheduledEvent>,
    pub(super) hosts: Vec<Host>,
    pub(super) addresses: BTreeMap<SocketAddr, HostId>,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) links_made: u64,
    /// The UDP ports of hosts that are reached over uTP.
    pub(super) udp: BTreeMap<HostId, Udp>,
    /// Whether messages travel as encoded bytes, split at random places, instead of as values.
    pub(super) encoded: bool,
    pub(super) tracker: SimTracker,
    outputs: Sha1,
    pub(super) steps: u64,
    pub(super) news: bool,
    trace: bool,
}

impl World {
    /// Creates an empty world.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            seed,
            tracker: SimTracker::new(rng.random()),
            rng,
            agenda: Agenda::new(),
            hosts: Vec::new(),
            addresses: BTreeMap::new(),
            links: BTreeMap::new(),
            links_made: 0,
            udp: BTreeMap::new(),
            encoded: false,
            outputs: Sha1::new(),
            steps: 0,
            news: false,
            trace: std::env::var_os("AQUEDUCT_SIM_TRACE").is_some(),
        }
    }

    /// Creates an empty world in which every message is encoded, split at random places and
    /// decoded.
    #[must_use]
    pub fn encoded(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.encoded = true;
        world
    }

    /// The virtual time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.agenda.now().since(Instant::ZERO)
    }
    /// A host.
    #[must_use]
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0]
    }
    /// A host, to inject faults.
    pub fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0]
    }
    /// A digest of all outputs of all engines.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 20] {
        self.outputs.clone().finalize().into()
    }

    /// Adds a host and starts it.
    pub fn add(&mut self, plan: Plan) -> HostId {
        let id = self.add_stopped(plan);
        self.start(id);
        id
    }

    /// Adds a host without starting it, so that its disk can be prepared. [`World::restart`] starts
    /// it.
    pub fn add_stopped(&mut self, plan: Plan) -> HostId {
        let id = HostId(self.hosts.len());
        let host = Host::new(id, plan, self.agenda.now(), &mut self.rng);
        for addr in [host.addr(), host.local_addr()] {
            self.addresses.insert(addr, id);
        }
        let udp = Udp::of(&host, &mut self.rng);
        self.udp.extend(udp.map(|udp| (id, udp)));
        self.hosts.push(host);
        self.hosts[id.0].alive = false;
        id
    }

    /// Adds several hosts of one kind.
    pub fn add_many(&mut self, count: usize, plan: &Plan) -> Vec<HostId> {
        (0..count).map(|_| self.add(plan.clone())).collect()
    }

    /// Adds this many unused addresses to every swarm.
    pub fn add_ghosts(&mut self, count: u8) {
        self.tracker.add_ghosts(count);
    }

    fn start(&mut self, id: HostId) {
        let now = self.agenda.now();
        self.hosts[id.0].reborn(now, &mut self.rng);
        let torrents: Vec<TorrentId> = self.hosts[id.0].torrents.keys().copied().collect();
        for torrent in torrents {
            self.add_known(id, torrent);
        }
        if self.hosts[id.0].plan.sequential {
            self.command(id, Command::Prioritise(TORRENT, vec![PriorityRange::ALL]))
                .expect("the torrent is there");
        }
        if self.hosts[id.0].plan.misbehavior.is_talkative() {
            let life = self.hosts[id.0].life;
            self.agenda.after(
                Duration::from_millis(100),
                ScheduledEvent::InvalidMessages(id, life),
            );
        }
    }

    fn add_known(&mut self, id: HostId, torrent: TorrentId) {
        let now = self.agenda.now();
        let (new, trackers) = self.hosts[id.0].new_torrent(torrent);
        let added = self.hosts[id.0].session.add(now, new, trackers);
        added.expect("a session takes a new torrent");
        self.settle(id);
    }

    /// A host's user adds a torrent of which nothing is there.
    pub fn add_torrent(&mut self, id: HostId, torrent: &Arc<Computed>) -> TorrentId {
        let torrent = self.hosts[id.0].insert(torrent);
        self.add_known(id, torrent);
        torrent
    }

    /// Peers that the tracker knows in a torrent's swarm.
    #[must_use]
    pub fn tracked(&self, torrent: &Computed) -> u32 {
        self.tracker.count(&torrent.info().info_hash.wire())
    }

    /// Stops a host as a power loss does: its connections break and unflushed data may be lost.
    pub fn kill(&mut self, id: HostId) {
        self.break_links(id);
        self.break_utp(id);
        let (now, addr) = (self.agenda.now(), self.hosts[id.0].addr());
        for swarm in self.hosts[id.0].swarms() {
            self.tracker.forget(now, swarm, addr);
        }
        self.hosts[id.0].dies(&mut self.rng);
    }

    /// Starts a host that was killed, with the content of its disk.
    pub fn restart(&mut self, id: HostId) {
        assert!(
            !self.hosts[id.0].alive,
            "only what is dead can be restarted"
        );
        self.start(id);
    }

    /// Blocks a host's line for this long. Nothing is lost.
    pub fn cut_line(&mut self, id: HostId, span: Duration) {
        let until = self.agenda.now() + span;
        self.hosts[id.0].line.cut(until);
    }

    /// Suspends a host for this long: nothing reaches it, and on wake-up its engine finds that the
    /// time has jumped.
    pub fn sleep(&mut self, id: HostId, span: Duration) {
        self.cut_line(id, span);
        self.hosts[id.0].asleep = self.agenda.now() + span;
    }

    /// Schedules a call by the test.
    pub fn after(&mut self, span: Duration, call: impl FnOnce(&mut World) + 'static) {
        self.agenda
            .after(span, ScheduledEvent::Call(Box::new(call)));
    }

    /// Sends a command to a host's engine.
    ///
    /// # Errors
    /// The engine refuses the command.
    pub fn command(&mut self, id: HostId, command: Command) -> Result<(), CommandError> {
        let now = self.agenda.now();
        let result = self.hosts[id.0].session.command(now, command);
        self.settle(id);
        result
    }

    /// Modifies the first file of a host's torrent, as another program would: these pieces are
    /// wrong from now on.
    pub fn edit(&mut self, id: HostId, pieces: &[Piece]) {
        self.hosts[id.0].disk_mut().edit(pieces);
        self.handle_engine(
            id,
            Input::FileChanged {
                torrent: TORRENT,
                file: 0,
                change: FileChange::Written,
            },
        );
    }

    /// Passes an input to an engine, and carries out its outputs.
    pub(super) fn handle_engine(&mut self, id: HostId, input: Input) {
        let now = self.agenda.now();
        let host = &mut self.hosts[id.0];
        if let Input::Accepted {
            conn, handshake, ..
        } = &input
            && let Some(torrent) = host.torrent_of(handshake.info_hash)
        {
            host.routes.insert(*conn, torrent);
        }
        host.session.handle(now, input);
        self.settle(id);
    }

    /// Tells a host's discovery something, and does what it then wants.
    pub(super) fn handle_net(&mut self, id: HostId, input: discovery::Input) {
        let now = self.agenda.now();
        self.hosts[id.0].session.handle_net(now, input);
        self.settle(id);
    }

    fn settle(&mut self, id: HostId) {
        while let Some(output) = self.hosts[id.0].session.poll_output() {
            match output {
                session::Output::Engine(output) => {
                    self.record(id, &trace::line(&output));
                    check::output(&self.hosts[id.0], &output);
                    self.carry_out(id, output);
                }
                session::Output::Net(request) => {
                    self.record(id, &trace::net_line(&request));
                    check::net(&self.hosts[id.0], &request);
                    self.carry_out_net(id, request);
                }
                session::Output::Tracker { .. } => {}
            }
        }
        self.arm(id);
    }

    fn carry_out(&mut self, id: HostId, output: Output) {
        let now = self.agenda.now();
        match output {
            Output::Dial {
                conn,
                torrent,
                info_hash,
                addr,
                kind,
            } => {
                self.hosts[id.0].routes.insert(conn, torrent);
                self.dial(id, conn, info_hash, (addr, kind));
            }
            Output::Send { conn, message } => self.send(id, conn, message),
            Output::Close { conn, .. } => self.close(id, conn),
            Output::Request {
                id: request,
                torrent,
                op,
            } => {
                let host = &mut self.hosts[id.0];
                let data = host.torrents.get_mut(&torrent).expect("it is there");
                let done = data.disk.schedule(now, &op, &mut self.rng);
                assert!(
                    host.pending.insert(request, (torrent, op)).is_none(),
                    "{request:?} is asked for twice"
                );
                check::unwritten(host);
                self.agenda
                    .at(done, ScheduledEvent::Done(id, host.life, request));
            }
            Output::Cancel(request) => self.cancel(id, request),
            Output::Hint { addrs, .. } => self.hosts[id.0].hints.extend(addrs),
            // Never: `check` panics.
            Output::Discover { .. } | Output::DhtNode(_) => {}
            Output::Event(event) => self.news(id, event),
        }
    }

    /// A cancelled operation completes early, or as if it had not been cancelled.
    fn cancel(&mut self, id: HostId, request: RequestId) {
        let early = self.rng.random_bool(0.5);
        let host = &mut self.hosts[id.0];
        if early && host.pending.remove(&request).is_some() {
            let life = host.life;
            let answer = move |world: &mut World| {
                if world.hosts[id.0].life == life {
                    world.handle_engine(
                        id,
                        Input::Done {
                            id: request,
                            result: Err(OpError::Cancelled),
                        },
                    );
                }
            };
            self.agenda
                .after(Duration::ZERO, ScheduledEvent::Call(Box::new(answer)));
        }
    }

    fn news(&mut self, id: HostId, event: Event) {
        self.news = true;
        let now = self.agenda.now();
        let metadata = match event {
            Event::Metadata(torrent, _) => Some(torrent),
            _ => None,
        };
        let host = &mut self.hosts[id.0];
        host.note(now, event);
        if let Some(torrent) = metadata {
            let attached = host.session.attach(now, torrent, Resumed::Nothing);
            attached.expect("metadata came for a torrent that is there");
        }
    }

    /// Tells a host the addresses of others.
    pub fn introduce(&mut self, id: HostId, source: PeerSource, others: &[HostId]) {
        let addrs = others
            .iter()
            .map(|other| self.host(*other).addr())
            .collect();
        self.name(id, source, addrs);
    }

    fn name(&mut self, id: HostId, source: PeerSource, addrs: Vec<SocketAddr>) {
        if source.suits_private() {
            let host = &mut self.hosts[id.0];
            let named = host.torrents.get_mut(&TORRENT);
            named.expect("every host has it").named.extend(&addrs);
        }
        self.handle_engine(
            id,
            Input::Peers {
                torrent: TORRENT,
                source,
                addrs: addrs.into_iter().map(PeerAddr::from).collect(),
            },
        );
    }

    /// Schedules the host's next wake-up if its engine wants an earlier one than is scheduled.
    fn arm(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        let Some((due, _)) = host.session.poll_timeout() else {
            return;
        };
        if host.timer.is_none_or(|planned| due < planned) {
            host.timer = Some(due);
            self.agenda.at(due, ScheduledEvent::Wake(id, host.life));
        }
    }

    pub(super) fn wake(&mut self, id: HostId) {
        let now = self.agenda.now();
        let host = &mut self.hosts[id.0];
        host.timer = host.timer.filter(|planned| *planned > now);
        match host.session.poll_timeout() {
            Some((due, reason)) if due <= now => {
                host.count_wake_up(now, reason);
                self.handle_engine(id, Input::Timeout);
            }
            _ => self.arm(id),
        }
    }

    pub(super) fn send_invalid(&mut self, id: HostId, life: u32) {
        for conn in self.conns(id) {
            let unprompted = self.hosts[id.0].plan.misbehavior.unprompted(&mut self.rng);
            unprompted
                .into_iter()
                .for_each(|message| self.send(id, conn, message));
        }
        self.agenda.after(
            Duration::from_millis(100),
            ScheduledEvent::InvalidMessages(id, life),
        );
    }

    fn record(&mut self, id: HostId, line: &str) {
        self.outputs.update(format!(
            "{} {} {line}\n",
            self.agenda.now().as_micros(),
            id.0
        ));
        if self.trace {
            eprintln!("{:>12} {:>3} {line}", self.agenda.now().as_micros(), id.0);
        }
    }
}

impl Drop for World {
    /// Prints how to reproduce a failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the world's seed was {}, its time {:?}",
                self.seed,
                self.now()
            );
        }
    }
}
