//! The world: hosts, links, the tracker, and what happens next.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::types::{PeerAddr, PeerSource, Piece, RequestId};
use aqueduct_core::{
    Command, CommandError, DiscoverRequest, Event, FileChange, Input, Instant, OpError, Output,
    PriorityRange, Resumed,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};

use super::clock::Agenda;
use super::conn::{Arrival, Link};
use super::host::{Host, HostId, Plan, TORRENT};
use super::malice::Malice;
use super::tracker::{INTERVAL, Tracker};
use super::{check, trace};

/// One thing that will happen. Things that concern a host carry the life they were meant for.
pub(super) enum Happening {
    /// A host's deadline.
    Wake(HostId, u32),
    /// Something comes out of a link.
    Arrives(u64, Arrival),
    /// Bytes left a host's queue for its line.
    Departed { link: u64, side: usize },
    /// An operation is done.
    Done(HostId, u32, RequestId),
    /// A host asks the tracker.
    Announce(HostId, u32),
    /// The tracker's answer.
    Peers(HostId, u32, Vec<SocketAddr>),
    /// A babbler speaks.
    Babble(HostId, u32),
    /// The test's own doing.
    Call(Box<dyn FnOnce(&mut World)>),
}

/// Engines in a network. Everything follows from the seed.
pub struct World {
    pub(super) seed: u64,
    pub(super) rng: ChaCha8Rng,
    pub(super) agenda: Agenda<Happening>,
    pub(super) hosts: Vec<Host>,
    pub(super) addresses: BTreeMap<SocketAddr, HostId>,
    pub(super) links: BTreeMap<u64, Link>,
    pub(super) links_made: u64,
    /// Messages travel as bytes through the codecs, in pieces cut anywhere, instead of as values.
    pub(super) encoded: bool,
    tracker: Tracker,
    /// Addresses in every answer of the tracker where nobody is.
    ghosts: Vec<SocketAddr>,
    outputs: Sha1,
    steps: u64,
    news: bool,
    trace: bool,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: ChaCha8Rng::seed_from_u64(seed),
            agenda: Agenda::new(),
            hosts: Vec::new(),
            addresses: BTreeMap::new(),
            links: BTreeMap::new(),
            links_made: 0,
            encoded: false,
            tracker: Tracker::default(),
            ghosts: Vec::new(),
            outputs: Sha1::new(),
            steps: 0,
            news: false,
            trace: std::env::var_os("AQUEDUCT_SIM_TRACE").is_some(),
        }
    }

    /// The same, with every message encoded, cut at random places and decoded again.
    #[must_use]
    pub fn encoded(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.encoded = true;
        world
    }

    /// Virtual time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.agenda.now().since(Instant::ZERO)
    }
    /// One host.
    #[must_use]
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0]
    }
    /// One host, to break it.
    pub fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0]
    }
    /// A digest of everything that all engines ever wanted.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 20] {
        self.outputs.clone().finalize().into()
    }

    /// A new machine, started now.
    pub fn add(&mut self, plan: Plan) -> HostId {
        let id = self.add_stopped(plan);
        self.start(id);
        id
    }

    /// A new machine that is not started yet, so that its disk can be prepared; [`World::restart`]
    /// starts it.
    pub fn add_stopped(&mut self, plan: Plan) -> HostId {
        let id = HostId(self.hosts.len());
        let host = Host::new(id, plan, self.agenda.now(), &mut self.rng);
        self.addresses.insert(host.addr(), id);
        self.hosts.push(host);
        self.hosts[id.0].alive = false;
        id
    }

    /// Several machines of one kind.
    pub fn add_many(&mut self, count: usize, plan: &Plan) -> Vec<HostId> {
        (0..count).map(|_| self.add(plan.clone())).collect()
    }

    /// So many addresses in every swarm at which nobody answers.
    pub fn add_ghosts(&mut self, count: u8) {
        self.ghosts
            .extend((1..=count).map(|n| SocketAddr::from(([46, 0, 0, n], 6881))));
    }

    fn start(&mut self, id: HostId) {
        let now = self.agenda.now();
        self.hosts[id.0].reborn(now, &mut self.rng);
        let first = self.hosts[id.0].first_command();
        self.command(id, first)
            .expect("a new engine takes a torrent");
        if self.hosts[id.0].plan.sequential {
            self.command(id, Command::Prioritise(TORRENT, vec![PriorityRange::ALL]))
                .expect("the torrent is there");
        }
        if matches!(
            self.hosts[id.0].plan.malice,
            Malice::Babble | Malice::Gossip
        ) {
            let life = self.hosts[id.0].life;
            self.agenda
                .after(Duration::from_millis(100), Happening::Babble(id, life));
        }
    }

    /// Ends a host as a loss of power does: its connections break, what it had not flushed may be
    /// lost.
    pub fn kill(&mut self, id: HostId) {
        self.break_links(id);
        let swarm = self.hosts[id.0].swarm();
        self.tracker.leave(swarm, id);
        self.hosts[id.0].dies(&mut self.rng);
    }

    /// Starts a host that was killed, with what its disk has.
    pub fn restart(&mut self, id: HostId) {
        assert!(
            !self.hosts[id.0].alive,
            "only what is dead can be restarted"
        );
        self.start(id);
    }

    /// Nothing reaches or leaves a host for so long; nothing is lost either.
    pub fn cut_line(&mut self, id: HostId, span: Duration) {
        let until = self.agenda.now() + span;
        self.hosts[id.0].line.cut(until);
    }

    /// The whole machine sleeps for so long: nothing reaches it, and when it wakes up, its engine
    /// finds that time has jumped.
    pub fn sleep(&mut self, id: HostId, span: Duration) {
        self.cut_line(id, span);
        self.hosts[id.0].asleep = self.agenda.now() + span;
    }

    /// Plans something of the test's own.
    pub fn after(&mut self, span: Duration, call: impl FnOnce(&mut World) + 'static) {
        self.agenda.after(span, Happening::Call(Box::new(call)));
    }

    /// A wish of a host's user.
    ///
    /// # Errors
    /// The engine's.
    pub fn command(&mut self, id: HostId, command: Command) -> Result<(), CommandError> {
        let now = self.agenda.now();
        let result = self.hosts[id.0].engine.command(now, command);
        self.settle(id);
        result
    }

    /// Something else writes to the first file of a host's torrent: these pieces are wrong from now
    /// on.
    pub fn edit(&mut self, id: HostId, pieces: &[Piece]) {
        self.hosts[id.0].disk_mut().edit(pieces);
        self.tell(
            id,
            Input::FileChanged {
                torrent: TORRENT,
                file: 0,
                change: FileChange::Written,
            },
        );
    }

    /// Tells an engine something, and does what it then wants.
    pub(super) fn tell(&mut self, id: HostId, input: Input) {
        let now = self.agenda.now();
        self.hosts[id.0].engine.handle(now, input);
        self.settle(id);
    }

    fn settle(&mut self, id: HostId) {
        while let Some(output) = self.hosts[id.0].engine.poll_output() {
            self.record(id, &output);
            check::output(&self.hosts[id.0], &output);
            self.carry_out(id, output);
        }
        self.arm(id);
    }

    fn carry_out(&mut self, id: HostId, output: Output) {
        let now = self.agenda.now();
        match output {
            Output::Dial {
                conn,
                info_hash,
                addr,
                ..
            } => self.dial(id, conn, info_hash, addr),
            Output::Send { conn, message } => self.send(id, conn, message),
            Output::Close { conn, .. } => self.close(id, conn),
            Output::Request {
                id: request, op, ..
            } => {
                let host = &mut self.hosts[id.0];
                let done = host.disk.schedule(now, &op, &mut self.rng);
                assert!(
                    host.pending.insert(request, op).is_none(),
                    "{request:?} is asked for twice"
                );
                check::unwritten(host);
                self.agenda
                    .at(done, Happening::Done(id, host.life, request));
            }
            Output::Cancel(request) => self.cancel(id, request),
            Output::Discover { request, .. } => self.discover(id, request),
            Output::Hint { addrs, .. } => self.hosts[id.0].hints.extend(addrs),
            Output::DhtNode(addr) => self.hosts[id.0].dht_nodes.push(addr),
            Output::Event(event) => self.news(id, event),
        }
    }

    /// A cancelled operation answers early, or as if nothing had been said.
    fn cancel(&mut self, id: HostId, request: RequestId) {
        let early = self.rng.random_bool(0.5);
        let host = &mut self.hosts[id.0];
        if early && host.pending.remove(&request).is_some() {
            let life = host.life;
            let answer = move |world: &mut World| {
                if world.hosts[id.0].life == life {
                    world.tell(
                        id,
                        Input::Done {
                            id: request,
                            result: Err(OpError::Cancelled),
                        },
                    );
                }
            };
            self.agenda
                .after(Duration::ZERO, Happening::Call(Box::new(answer)));
        }
    }

    fn news(&mut self, id: HostId, event: Event) {
        self.news = true;
        let now = self.agenda.now();
        let metadata = matches!(event, Event::Metadata(..));
        self.hosts[id.0].note(now, event);
        if metadata {
            self.hosts[id.0]
                .engine
                .attach(now, TORRENT, Resumed::Nothing)
                .expect("metadata came for a torrent that is there");
        }
    }

    fn discover(&mut self, id: HostId, request: DiscoverRequest) {
        if !self.hosts[id.0].plan.tracker {
            return;
        }
        let now = self.agenda.now();
        let (swarm, life) = (self.hosts[id.0].swarm(), self.hosts[id.0].life);
        let announces = &mut self.hosts[id.0].announces;
        match request {
            DiscoverRequest::Stop => {
                announces.active = false;
                self.tracker.leave(swarm, id);
                return;
            }
            DiscoverRequest::Start => announces.active = true,
            DiscoverRequest::More | DiscoverRequest::Completed => {}
        }
        let when = announces.soonest(now);
        if announces.planned.is_none_or(|planned| when < planned) {
            announces.planned = Some(when);
            self.agenda.at(when, Happening::Announce(id, life));
        }
    }

    fn announce(&mut self, id: HostId) {
        let now = self.agenda.now();
        let (swarm, life) = (self.hosts[id.0].swarm(), self.hosts[id.0].life);
        let announces = &mut self.hosts[id.0].announces;
        if !announces.active || announces.planned != Some(now) {
            return;
        }
        announces.last = Some(now);
        announces.planned = Some(now + INTERVAL);
        let others = self.tracker.announce(swarm, id, &mut self.rng);
        let members = others.into_iter().map(|other| self.hosts[other.0].addr());
        let addrs = members.chain(self.ghosts.iter().copied()).collect();
        self.agenda
            .after(Duration::from_millis(80), Happening::Peers(id, life, addrs));
        self.agenda.after(INTERVAL, Happening::Announce(id, life));
    }

    /// A host hears where others are.
    pub fn introduce(&mut self, id: HostId, source: PeerSource, others: &[HostId]) {
        let addrs = others
            .iter()
            .map(|other| self.host(*other).addr())
            .collect();
        self.name(id, source, addrs);
    }

    fn name(&mut self, id: HostId, source: PeerSource, addrs: Vec<SocketAddr>) {
        if source.suits_private() {
            self.hosts[id.0].named.extend(&addrs);
        }
        self.tell(
            id,
            Input::Peers {
                torrent: TORRENT,
                source,
                addrs: addrs.into_iter().map(PeerAddr::from).collect(),
            },
        );
    }

    /// Plans the host's next wake-up if its engine wants an earlier one than is planned.
    fn arm(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        let Some((due, _)) = host.engine.poll_timeout() else {
            return;
        };
        if host.timer.is_none_or(|planned| due < planned) {
            host.timer = Some(due);
            self.agenda.at(due, Happening::Wake(id, host.life));
        }
    }

    fn wake(&mut self, id: HostId) {
        let now = self.agenda.now();
        let host = &mut self.hosts[id.0];
        host.timer = host.timer.filter(|planned| *planned > now);
        match host.engine.poll_timeout() {
            Some((due, reason)) if due <= now => {
                host.count_wake_up(now, reason);
                self.tell(id, Input::Timeout);
            }
            _ => self.arm(id),
        }
    }

    fn babble(&mut self, id: HostId, life: u32) {
        let conns = self.hosts[id.0].conns.keys().copied().collect::<Vec<_>>();
        for conn in conns {
            let chatter = self.hosts[id.0].plan.malice.chatter(&mut self.rng);
            chatter
                .into_iter()
                .for_each(|message| self.send(id, conn, message));
        }
        self.agenda
            .after(Duration::from_millis(100), Happening::Babble(id, life));
    }

    fn lives(&self, id: HostId, life: u32) -> bool {
        self.hosts[id.0].alive && self.hosts[id.0].life == life
    }

    /// When a machine wakes up that sleeps through this.
    fn slept_through(&self, happening: &Happening) -> Option<Instant> {
        let (Happening::Wake(id, _)
        | Happening::Announce(id, _)
        | Happening::Babble(id, _)
        | Happening::Peers(id, ..)
        | Happening::Done(id, ..)) = happening
        else {
            return None;
        };
        Some(self.hosts[id.0].asleep).filter(|until| *until > self.agenda.now())
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(until) = self.slept_through(&happening) {
            return self.agenda.at(until, happening);
        }
        match happening {
            Happening::Call(call) => call(self),
            Happening::Arrives(link, arrival) => self.arrives(link, arrival),
            Happening::Departed { link, side } => self.departed(link, side),
            Happening::Wake(id, life) if self.lives(id, life) => self.wake(id),
            Happening::Announce(id, life) if self.lives(id, life) => self.announce(id),
            Happening::Babble(id, life) if self.lives(id, life) => self.babble(id, life),
            Happening::Peers(id, life, addrs) if self.lives(id, life) => {
                self.name(id, PeerSource::Tracker, addrs);
            }
            Happening::Done(id, life, request) if self.lives(id, life) => {
                if let Some(result) = self.hosts[id.0].perform(request, &mut self.rng) {
                    self.tell(
                        id,
                        Input::Done {
                            id: request,
                            result,
                        },
                    );
                }
            }
            _ => {}
        }
    }

    /// Lets the next thing happen, unless it is later than `limit`.
    fn step(&mut self, limit: Instant) -> bool {
        let Some(happening) = self.agenda.next(limit) else {
            return false;
        };
        self.happen(happening);
        self.steps += 1;
        if self.steps.is_multiple_of(512) {
            let id = usize::try_from(self.steps / 512).unwrap() % self.hosts.len();
            check::view(&self.hosts[id]);
        }
        true
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, span: Duration) {
        let limit = self.agenda.now() + span;
        while self.step(limit) {}
        self.agenda.rest(limit);
    }

    /// Runs until something holds; asked after every piece of news.
    ///
    /// # Panics
    /// It does not hold within `limit` from now.
    pub fn run_until(
        &mut self,
        limit: Duration,
        what: &str,
        mut holds: impl FnMut(&World) -> bool,
    ) {
        let until = self.agenda.now() + limit;
        self.news = true;
        loop {
            if std::mem::take(&mut self.news) && holds(self) {
                return;
            }
            if !self.step(until) {
                self.agenda.rest(until);
                assert!(
                    holds(self),
                    "not within {limit:?}: {what}\n{}",
                    self.report()
                );
                return;
            }
        }
    }

    /// Runs until these hosts have everything they want, on disk and right.
    ///
    /// # Panics
    /// They do not within `limit` from now, or what they have is wrong.
    pub fn run_until_finished(&mut self, limit: Duration, hosts: &[HostId]) {
        let names = format!("{} hosts finish", hosts.len());
        self.run_until(limit, &names, |world| {
            hosts.iter().all(|id| world.host(*id).finished().is_some())
        });
        for id in hosts
            .iter()
            .filter(|id| self.host(**id).plan.wanted.is_none())
        {
            assert!(
                self.host(*id).disk().is_complete(),
                "{} says it is complete and is not",
                self.host(*id).name()
            );
        }
    }

    /// What every unfinished host is doing.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        let unfinished = self
            .hosts
            .iter()
            .filter(|host| host.finished().is_none() && !host.plan.complete);
        for host in unfinished.take(20) {
            let view = host.snapshot().map(|v| {
                format!(
                    "{:?} {}/{} peers {} in flight {}",
                    v.phase,
                    v.done,
                    v.wanted,
                    v.peers,
                    in_flight(host)
                )
            });
            let _ = writeln!(
                text,
                "  {}: {}",
                host.name(),
                view.unwrap_or_else(|| "dead".to_owned())
            );
        }
        text
    }

    fn record(&mut self, id: HostId, output: &Output) {
        let line = trace::line(output);
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

fn in_flight(host: &Host) -> usize {
    host.engine()
        .peers(TORRENT)
        .iter()
        .map(|peer| peer.in_flight)
        .sum()
}

impl Drop for World {
    /// A failing test says how to see it fail again.
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
