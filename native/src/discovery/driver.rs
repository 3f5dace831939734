//! The task that connects the state machine to its sockets.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::dht;
use aqueduct_core::discovery::trackers::{Input, Output, Trackers};
use aqueduct_core::discovery::url::Host;
use aqueduct_core::discovery::{Key, QueryId, ResolveFor, Swarm, TrackerError, TrackerStatus};
use aqueduct_core::types::{self, PeerSource};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::farewell::{Closing, Pace};
use super::inbox::{Letter, Mail, Shared, Wish};
use super::node::{self, Errand, Node};
use super::outbox::Outbox;
use super::port::Port;
use super::{MAX_NEWS, News, Options};
use crate::net::http::{Client, Fetch};
use crate::net::requests::{Reply, Requests};
use crate::net::utp::Rest;
use crate::net::{
    Admission, NetError, Permit, Place, Policy, Purpose, Resolver, Target, connect_words,
};
use crate::until::until;

/// An input from outside.
enum Heard {
    Trackers(Input),
    Node(dht::Input),
    /// The datagram of this request to this address may be sent, or must be dropped.
    Turn(QueryId, SocketAddr, Option<Box<dyn Permit>>),
}

pub(super) struct DiscoveryDriver {
    machine: Trackers,
    /// `None` if the DHT is not used.
    node: Option<Node>,
    shared: Arc<Shared>,
    members: BTreeMap<Key, mpsc::Sender<News>>,
    policy: Arc<dyn Policy>,
    http: Client,
    resolver: Resolver,
    sockets: Requests,
    outbox: Outbox,
    work: JoinSet<Heard>,
    /// The tasks in progress, with their start times.
    running: BTreeMap<QueryId, (AbortHandle, Instant)>,
    pace: Pace,
    start: Instant,
}

impl DiscoveryDriver {
    pub(super) fn new(options: Options, at: Option<Rest>, shared: Arc<Shared>) -> io::Result<Self> {
        let (policy, lookups) = (&options.policy, options.config.lookups);
        let bind = options.outbound.bind();
        let node = options
            .dht
            .map(|dht| {
                let port = Port::open(at, bind, dht.port)?;
                Node::new(dht, lookups, port, Arc::clone(policy), seed()?)
            })
            .transpose()?;
        Ok(Self {
            machine: Trackers::new(options.config, seed()?),
            node,
            shared,
            members: BTreeMap::new(),
            http: Client::new(Arc::clone(&options.policy), options.outbound.clone()),
            resolver: options.outbound.resolver().clone(),
            policy: options.policy,
            sockets: Requests::bind(bind)?,
            outbox: Outbox::default(),
            work: JoinSet::new(),
            running: BTreeMap::new(),
            pace: Pace::default(),
            start: Instant::now(),
        })
    }

    /// The UDP port of our DHT node.
    pub(super) fn dht_port(&self) -> Option<u16> {
        self.node.as_ref().map(Node::port)
    }

    pub(super) async fn run(mut self) {
        loop {
            let end = self.take_inbox();
            self.drain();
            if end.is_some_and(|end| self.machine.is_empty() || Instant::now() >= end) {
                self.node.iter().for_each(Node::keep);
                return;
            }
            self.wait(end).await;
        }
    }

    async fn wait(&mut self, end: Option<Instant>) {
        let shared = Arc::clone(&self.shared);
        let due = self
            .machine
            .poll_timeout()
            .map(|(due, _)| self.start + due.since(types::Instant::ZERO));
        let heard = tokio::select! {
            () = shared.wake.notified() => return,
            () = until(end) => return,
            () = until(due) => Heard::Trackers(Input::Timeout),
            reply = self.sockets.receive() => Heard::Trackers(heard(reply)),
            input = node::input(self.node.as_mut(), self.start) => Heard::Node(input),
            Some(done) = self.work.join_next() => match done {
                Ok(heard) => heard,
                Err(_cancelled) => return,
            },
        };
        match heard {
            Heard::Trackers(input) => self.handle(input),
            Heard::Node(input) => self.tell_node(input),
            Heard::Turn(id, to, permit) => self.send_waiting(id, to, permit),
        }
    }

    fn tell_node(&mut self, input: dht::Input) {
        let now = self.now();
        self.node
            .iter_mut()
            .for_each(|node| node.handle(now, input.clone()));
    }

    fn handle(&mut self, input: Input) {
        self.note_end(&input);
        // Amounts do not wake the task; they must be current before an announce.
        let mail = self.shared.lock().take_mail();
        self.carry_out_mail(mail);
        self.machine.handle(self.now(), input);
    }

    /// Records that a task ended, or that an answer arrived.
    fn note_end(&mut self, input: &Input) {
        match input {
            Input::HttpResponse { id, result } => {
                let began = self.running.remove(id).map(|(_, began)| began);
                result.iter().for_each(|_| self.pace.answered(began));
            }
            Input::Resolved { id, .. } => drop(self.running.remove(id)),
            Input::UdpPacket { .. } => self.pace.answered(None),
            Input::UdpFailed { .. } | Input::Timeout => {}
        }
    }

    /// Applies what members requested. Returns when to end, if that was requested.
    fn take_inbox(&mut self) -> Option<Instant> {
        let (mail, nodes, closing) = {
            let mut inbox = self.shared.lock();
            let abandoned = inbox.is_abandoned().then(Closing::at_once);
            (
                inbox.take_mail(),
                std::mem::take(&mut inbox.dht_nodes),
                inbox.closing.or(abandoned),
            )
        };
        self.carry_out_mail(mail);
        nodes
            .into_iter()
            .for_each(|addr| self.tell_node(dht::Input::Node(addr)));
        if closing.is_some() {
            std::mem::take(&mut self.members)
                .into_keys()
                .for_each(|key| self.machine.remove(self.now(), key));
        }
        closing.map(|closing| self.pace.end(closing))
    }

    fn carry_out_mail(&mut self, mail: Mail) {
        mail.for_each(|(key, letter)| self.carry_out_letter(key, letter));
    }

    fn carry_out_letter(&mut self, key: Key, letter: Letter) {
        let Letter {
            leaves,
            joins,
            private,
            scrape,
            wish,
        } = letter;
        leaves.into_iter().for_each(|last| self.leave(key, &last));
        joins
            .into_iter()
            .for_each(|(swarm, news)| self.join(key, swarm, news));
        if private {
            self.leave_dht(key);
        }
        if scrape {
            self.machine.scrape(self.now(), key);
        }
        wish.into_iter().for_each(|wish| self.apply(key, &wish));
    }

    fn join(&mut self, key: Key, swarm: Swarm, news: mpsc::Sender<News>) {
        let asked = self
            .node
            .as_mut()
            .is_some_and(|node| node.join(key, &swarm));
        if self.machine.add(self.now(), key, swarm).is_ok() {
            self.members.insert(key, news);
            self.publish(key);
            self.publish_counts(key, asked);
        }
    }

    /// Leaves a swarm with the last amounts. Of the member's earlier requests, only `Completed`
    /// still matters.
    fn leave(&mut self, key: Key, last: &Wish) {
        self.members.remove(&key);
        self.leave_dht(key);
        last.amounts
            .into_iter()
            .for_each(|amounts| self.machine.update(key, amounts));
        if last
            .requests()
            .any(|request| request == DiscoverRequest::Completed)
        {
            self.machine
                .request(self.now(), key, DiscoverRequest::Completed);
        }
        self.machine.remove(self.now(), key);
    }

    fn leave_dht(&mut self, key: Key) {
        let now = self.now();
        self.node.iter_mut().for_each(|node| node.leave(now, key));
        self.publish_counts(key, false);
    }

    fn apply(&mut self, key: Key, wish: &Wish) {
        wish.amounts
            .into_iter()
            .for_each(|amounts| self.machine.update(key, amounts));
        if let Some(port) = wish.port {
            let now = self.now();
            self.machine.set_port(now, key, port);
            self.node
                .iter_mut()
                .for_each(|node| node.set_port(now, key, port));
        }
        for request in wish.requests() {
            let now = self.now();
            self.machine.request(now, key, request);
            self.node
                .iter_mut()
                .for_each(|node| node.request(now, key, request));
        }
    }

    fn publish(&self, key: Key) {
        let statuses = self.machine.tracker_status(key);
        if let Some(shown) = self.shared.lock().statuses.get_mut(&key) {
            *shown = statuses;
        }
    }

    /// Publishes the DHT's counts for a member; `asked`: whether the DHT is used for it.
    fn publish_counts(&self, key: Key, asked: bool) {
        let counts = self
            .node
            .as_ref()
            .filter(|_| asked)
            .and_then(|node| node.machine().counts(key));
        self.shared.lock().show_dht(key, counts);
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.carry_out(output);
        }
        let now = self.now();
        while let Some(errand) = self.node.as_mut().and_then(|node| node.drain(now)) {
            match errand {
                Errand::Resolve(host, port) => self.resolve_node(&host, port),
                Errand::Peers(key, addrs) => self.tell(
                    key,
                    News::Peers {
                        source: PeerSource::Dht,
                        addrs,
                    },
                ),
                Errand::Counts(key) => {
                    self.publish_counts(key, true);
                    self.tell(key, News::Dht);
                }
            }
        }
        let nodes = self.node.as_ref().map_or(0, Node::count);
        self.shared.lock().nodes = nodes;
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::HttpGet { id, url, family } => self.fetch(
                id,
                url,
                Fetch {
                    family,
                    owner: self.owner(id),
                    ..Fetch::ANNOUNCE
                },
            ),
            Output::Resolve {
                id,
                what,
                host,
                port,
            } => self.resolve(id, what, &host, port),
            Output::UdpSend { id, to, bytes } => self.send(id, to, bytes),
            Output::Cancel(id) => self
                .running
                .remove(&id)
                .into_iter()
                .for_each(|(task, _)| task.abort()),
            Output::Peers { key, source, addrs } => self.tell(key, News::Peers { source, addrs }),
            Output::Status {
                key,
                index,
                status,
                ended,
            } => {
                self.show(key, index, &status);
                self.tell(
                    key,
                    News::Tracker {
                        index,
                        status,
                        ended,
                    },
                );
            }
            Output::ExternalIp { key, ip, by } => {
                self.tell_node(dht::Input::SeenAt { by, ip });
                self.tell(key, News::ExternalIp(ip));
            }
            Output::Left(_) => {}
        }
    }

    fn fetch(&mut self, id: QueryId, url: String, fetch: Fetch) {
        let http = self.http.clone();
        let fetching = async move { http.fetch(&url, fetch).await.map_err(TrackerError::from) };
        let task = self.work.spawn(async move {
            Heard::Trackers(Input::HttpResponse {
                id,
                result: fetching.await,
            })
        });
        self.running.insert(id, (task, Instant::now()));
    }

    fn resolve(&mut self, id: QueryId, what: ResolveFor, host: &str, port: u16) {
        let purpose = match what {
            ResolveFor::Tracker => Purpose::UdpTracker,
            ResolveFor::Peer => Purpose::Peer,
        };
        let (policy, resolver, owner) = (
            Arc::clone(&self.policy),
            self.resolver.clone(),
            self.owner(id),
        );
        let host = Host::parse(host);
        let resolving = async move {
            let target = Target {
                owner,
                ..Target::new(purpose, SocketAddr::from(([0, 0, 0, 0], port)))
            };
            resolver.resolve(&host?, port, &*policy, &target).await
        };
        let resolved = async move {
            Input::Resolved {
                id,
                result: resolving.await.map_err(|error: NetError| error.into()),
            }
        };
        let task = self
            .work
            .spawn(async move { Heard::Trackers(resolved.await) });
        self.running.insert(id, (task, Instant::now()));
    }

    /// Resolves a bootstrap node. If it is not found, the state machine tries again, and nothing
    /// else waits for it.
    fn resolve_node(&mut self, host: &str, port: u16) {
        let (policy, resolver, host) = (
            Arc::clone(&self.policy),
            self.resolver.clone(),
            Host::parse(host),
        );
        self.work.spawn(async move {
            let target = Target::new(Purpose::Dht, SocketAddr::from(([0, 0, 0, 0], port)));
            let found = match host {
                Ok(host) => resolver.resolve(&host, port, &*policy, &target).await,
                Err(error) => Err(error.into()),
            };
            let addrs = found
                .inspect_err(|error| tracing::debug!(%error, "DHT bootstrap"))
                .unwrap_or_default();
            Heard::Node(dht::Input::Resolved(addrs))
        });
    }

    fn owner(&self, id: QueryId) -> u64 {
        self.machine.owner(id).unwrap_or_default()
    }

    fn send(&mut self, id: QueryId, to: SocketAddr, bytes: Bytes) {
        let (policy, owner) = (Arc::clone(&self.policy), self.owner(id));
        match policy.admit(Place::Addr(to), owner) {
            Admission::Now(Ok(_permit)) => self.transmit(to, &bytes),
            // Datagrams may be lost; the state machine repeats them.
            Admission::Now(Err(_)) => {}
            Admission::Waits(_) if self.outbox.put(id, to, bytes) => {
                let policy = Arc::clone(&policy);
                self.work.spawn(async move {
                    Heard::Turn(
                        id,
                        to,
                        policy.admit(Place::Addr(to), owner).granted().await.ok(),
                    )
                });
            }
            Admission::Waits(_) => {}
        }
    }

    fn send_waiting(&mut self, id: QueryId, to: SocketAddr, permit: Option<Box<dyn Permit>>) {
        let bytes = self
            .outbox
            .take(id, to)
            .filter(|_| permit.is_some() && self.machine.owner(id).is_some());
        bytes
            .into_iter()
            .for_each(|bytes| self.transmit(to, &bytes));
    }

    fn transmit(&mut self, to: SocketAddr, bytes: &[u8]) {
        if let Err(error) = self.sockets.send(to, bytes) {
            self.machine.handle(
                self.now(),
                Input::UdpFailed {
                    to,
                    message: connect_words(&error),
                },
            );
        }
    }

    fn show(&self, key: Key, index: usize, status: &TrackerStatus) {
        if let Some(shown) = self
            .shared
            .lock()
            .statuses
            .get_mut(&key)
            .and_then(|shown| shown.get_mut(index))
        {
            shown.clone_from(status);
        }
    }

    fn tell(&self, key: Key, news: News) {
        if let Some(member) = self.members.get(&key) {
            // A member that does not read loses news, and no other member waits for it; see
            // `MAX_NEWS`. Peers are dropped last, since they cannot be looked up again.
            if matches!(news, News::Peers { .. }) || member.capacity() > MAX_NEWS / 2 {
                let _ = member.try_send(news);
            }
        }
    }

    fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }
}

fn heard(reply: Reply) -> Input {
    match reply {
        Reply::Datagram(from, bytes) => Input::UdpPacket { from, bytes },
        Reply::Failed(to, error) => Input::UdpFailed {
            to,
            message: connect_words(&error),
        },
    }
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
