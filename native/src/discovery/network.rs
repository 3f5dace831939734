//! The network requests of discovery, carried out with real sockets.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::discovery::trackers::{self, Endpoint, QueryId, ResolveFor};
use aqueduct_core::discovery::url::Host;
use aqueduct_core::discovery::{Input, NetRequest, dht};
use bytes::Bytes;

use super::Options;
use super::lsd::Groups;
use super::node_port::NodePort;
use super::outbox::Outbox;
use super::tracker_port::TrackerPort;
use super::work::{Done, Work};
use crate::net::http::{Client, Fetch};
use crate::net::policy::stand_in;
use crate::net::utp::Rest;
use crate::net::{Admission, NetError, Permit, Place, Policy, Purpose, Resolver, Target};

/// Carries out [`NetRequest`]s, and returns their results and received datagrams as [`Input`]s.
///
/// It has no state machine: whom to ask, and when, is decided by the one whose requests these are.
/// Whether an address may be reached, and how often, is decided by its policy.
#[derive(Debug)]
pub(crate) struct Network {
    policy: Arc<dyn Policy>,
    http: Client,
    resolver: Resolver,
    trackers: TrackerPort,
    /// Datagrams to UDP trackers that wait for permission.
    outbox: Outbox,
    /// `None`: the DHT is not used.
    node: Option<NodePort>,
    /// The groups of local discovery; none is joined before the first announce.
    groups: Groups,
    work: Work,
    /// Datagrams that could not be sent, and what needs no waiting; at most one per request.
    ready: VecDeque<Input>,
}

/// What happened first.
enum Heard {
    Tracker(trackers::Input),
    Node(SocketAddr, Bytes),
    Done(Done),
}

impl Network {
    /// Opens the sockets. `shared`: the datagrams at uTP's port that are not uTP's, where the DHT
    /// node is to be.
    ///
    /// # Errors
    /// No datagram socket could be bound.
    pub(crate) fn open(options: &Options, shared: Option<Rest>) -> io::Result<Self> {
        let (policy, outbound) = (Arc::clone(&options.policy), &options.outbound);
        let bind = outbound.bind();
        let node = options.dht.as_ref().map(|dht| {
            let policy = Arc::clone(&policy);
            NodePort::open(shared, bind, dht.port, policy)
        });
        Ok(Self {
            http: Client::new(Arc::clone(&policy), outbound.clone()),
            resolver: outbound.resolver().clone(),
            trackers: TrackerPort::open(outbound)?,
            outbox: Outbox::default(),
            node: node.transpose()?,
            groups: Groups::new(bind),
            work: Work::default(),
            ready: VecDeque::new(),
            policy,
        })
    }

    /// The port of the DHT node; `None`: the DHT is not used.
    pub(crate) const fn node_port(&self) -> Option<&NodePort> {
        self.node.as_ref()
    }

    /// Carries out a request. Its result, if it has one, comes from [`Network::input`].
    pub(crate) fn carry_out(&mut self, request: NetRequest) {
        match request {
            NetRequest::Trackers(request) => self.carry_out_for_trackers(request),
            NetRequest::Dht(dht::Request::Send { to, bytes }) => self.send_to_node(to, &bytes),
            NetRequest::Dht(dht::Request::Resolve { host, port }) => self.resolve_node(&host, port),
            NetRequest::Lsd(announce) => {
                self.groups.refresh();
                self.groups.send(&announce);
            }
        }
    }

    /// Waits for the next result or datagram. `is_open` tells whether the result of a request is
    /// still needed. Nothing is lost if the future is dropped.
    pub(crate) async fn input(&mut self, is_open: impl Fn(QueryId) -> bool) -> Input {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return ready;
            }
            let heard = tokio::select! {
                reply = self.trackers.receive() => Heard::Tracker(reply),
                (from, bytes) = receive(self.node.as_mut()) => Heard::Node(from, bytes),
                (from, bytes) = self.groups.receive() => return Input::Lsd { from, bytes },
                done = self.work.next() => Heard::Done(done),
            };
            match heard {
                Heard::Tracker(reply) => return Input::Trackers(reply),
                Heard::Node(from, bytes) => return Input::Dht(dht::Input::Packet { from, bytes }),
                Heard::Done(Done::Input(input)) => return input,
                Heard::Done(Done::Turn { id, to, permit }) => {
                    self.send_waiting(id, to, permit.filter(|_| is_open(id)));
                }
            }
        }
    }

    fn carry_out_for_trackers(&mut self, request: trackers::Request) {
        use trackers::Request;
        match request {
            Request::HttpGet {
                id,
                owner,
                url,
                family,
            } => {
                let fetch = Fetch {
                    family,
                    owner,
                    ..Fetch::ANNOUNCE
                };
                self.fetch(id, url, fetch);
            }
            Request::Resolve {
                id,
                owner,
                what,
                host,
                port,
            } => self.resolve(id, owner, what, (host, port)),
            Request::UdpSend {
                id,
                owner,
                to,
                bytes,
            } => self.send(id, owner, to, bytes),
            Request::Cancel(id) => self.work.cancel(id),
        }
    }

    fn fetch(&mut self, id: QueryId, url: String, fetch: Fetch) {
        let http = self.http.clone();
        self.work.start(id, async move {
            let result = http.fetch(&url, fetch).await.map_err(Into::into);
            trackers::Input::HttpResponse { id, result }
        });
    }

    fn resolve(&mut self, id: QueryId, owner: u64, what: ResolveFor, name: (String, u16)) {
        let purpose = match what {
            ResolveFor::Tracker => Purpose::UdpTracker,
            ResolveFor::Peer => Purpose::Peer,
        };
        let relayed = matches!(self.trackers, TrackerPort::Proxied(_));
        if relayed && what == ResolveFor::Tracker {
            return self.check_relayed(id, owner, &name);
        }
        let resolving = self.look_up(purpose, owner, name);
        self.work.start(id, async move {
            let result = resolving.await.map_err(Into::into);
            trackers::Input::Resolved { id, result }
        });
    }

    /// The proxy resolves the name, once the policy permits its address as far as that is known.
    fn check_relayed(&mut self, id: QueryId, owner: u64, (host, port): &(String, u16)) {
        let input = match Host::parse(host) {
            Err(error) => Err(NetError::from(error)),
            Ok(host) => {
                let known = stand_in(&host).map(|ip| SocketAddr::new(ip, *port));
                let checked = known.map_or(Ok(()), |addr| {
                    self.policy.check(&Target {
                        owner,
                        ..Target::new(Purpose::UdpTracker, addr)
                    })
                });
                checked.map_err(NetError::from).map(|()| host)
            }
        };
        let input = match input {
            Ok(Host::Name(_)) => trackers::Input::ByName { id },
            Ok(Host::Addr(ip)) => trackers::Input::Resolved {
                id,
                result: Ok(vec![SocketAddr::new(ip, *port)]),
            },
            Err(error) => trackers::Input::Resolved {
                id,
                result: Err(error.into()),
            },
        };
        self.ready.push_back(Input::Trackers(input));
    }

    /// Resolves a bootstrap node. If it is not found, the state machine tries again, and nothing
    /// else waits for it.
    fn resolve_node(&mut self, host: &str, port: u16) {
        let resolving = self.look_up(Purpose::Dht, 0, (host.to_owned(), port));
        self.work.start_unnamed(async move {
            let found = resolving.await;
            let addrs = found
                .inspect_err(|error| tracing::debug!(%error, "DHT bootstrap"))
                .unwrap_or_default();
            Done::Input(Input::Dht(dht::Input::Resolved(addrs)))
        });
    }

    fn look_up(
        &self,
        purpose: Purpose,
        owner: u64,
        (host, port): (String, u16),
    ) -> impl Future<Output = Result<Vec<SocketAddr>, NetError>> + use<> {
        let (policy, resolver) = (Arc::clone(&self.policy), self.resolver.clone());
        async move {
            let host = Host::parse(&host)?;
            let target = Target {
                owner,
                ..Target::new(purpose, SocketAddr::from(([0, 0, 0, 0], port)))
            };
            resolver.resolve(&host, port, &*policy, &target).await
        }
    }

    fn send(&mut self, id: QueryId, owner: u64, to: Endpoint, bytes: Bytes) {
        let Endpoint::Addr(addr) = to else {
            return self.transmit(&to, &bytes);
        };
        let policy = Arc::clone(&self.policy);
        match policy.admit(Place::Addr(addr), owner) {
            Admission::Now(Ok(_permit)) => self.transmit(&to, &bytes),
            // Datagrams may be lost; the state machine repeats them.
            Admission::Now(Err(_)) => {}
            Admission::Waits(_) if self.outbox.put(id, addr, bytes) => {
                let policy = Arc::clone(&policy);
                self.work.start_unnamed(async move {
                    let permit = policy.admit(Place::Addr(addr), owner).granted().await.ok();
                    Done::Turn {
                        id,
                        to: addr,
                        permit,
                    }
                });
            }
            Admission::Waits(_) => {}
        }
    }

    /// Sends the datagram that waited for this permit; without one it is dropped.
    fn send_waiting(&mut self, id: QueryId, to: SocketAddr, permit: Option<Box<dyn Permit>>) {
        let bytes = self.outbox.take(id, to);
        if let Some(bytes) = bytes.filter(|_| permit.is_some()) {
            self.transmit(&to.into(), &bytes);
        }
    }

    fn transmit(&mut self, to: &Endpoint, bytes: &Bytes) {
        let failed = self.trackers.send(to, bytes);
        self.ready.extend(failed.map(Input::Trackers));
    }

    fn send_to_node(&mut self, to: SocketAddr, bytes: &[u8]) {
        let sent = self.node.as_ref().map(|node| node.send(to, bytes));
        if let Some(Err(why)) = sent {
            tracing::trace!(%to, why, "not sent to a DHT node");
            let failed = dht::Input::Unreachable(to);
            self.ready.push_back(Input::Dht(failed));
        }
    }
}

/// The next datagram for our DHT node, if there is one.
async fn receive(node: Option<&mut NodePort>) -> (SocketAddr, Bytes) {
    match node {
        Some(node) => node.receive().await,
        None => pending().await,
    }
}
