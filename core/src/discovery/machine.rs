//! Trackers, the DHT and local discovery as one machine, and which of them may know of a torrent
//! (BEP 27).

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::dht::{self, Dht, DhtCounts};
use super::io::{Input, NetRequest, Output, Reason};
use super::lsd::Lsd;
use super::swarm::{AddError, Amounts, Key, Swarm};
use super::trackers::{self, Config, QueryId, TrackerStatus, Trackers};
use crate::io::DiscoverRequest;
use crate::types::{InfoHashV1, Instant, PeerSource};

/// A torrent that [`Discovery::add`] took in. Nothing can be wanted for a torrent before: whatever
/// is wanted takes a membership, and adding alone makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without its membership a torrent can neither be searched for nor removed"]
pub struct Membership {
    key: Key,
}

impl Membership {
    /// What outputs call it.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }
}

/// What is known of a member.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// BEP 27: only its trackers may know of it.
    private: bool,
    /// It was started and not stopped.
    active: bool,
}

/// Finds peers for any number of torrents.
#[derive(Debug)]
pub struct Discovery {
    trackers: Trackers,
    /// `None`: the DHT is not used.
    dht: Option<Dht>,
    /// `None`: nobody is looked for on the local network.
    lsd: Option<Lsd>,
    members: BTreeMap<Key, Member>,
    outputs: VecDeque<Output>,
}

impl Discovery {
    /// A machine without torrents that asks trackers alone.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            trackers: Trackers::new(config, seed),
            dht: None,
            lsd: None,
            members: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The same, with a node of the DHT, which has the ids and the nodes of an earlier run if there
    /// was one.
    #[must_use]
    pub fn with_dht(
        self,
        config: dht::Config,
        state: dht::State,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let dht = Some(Dht::new(config, state, seed, now));
        Self { dht, ..self }
    }

    /// The same, which announces on the local network that peers reach us at `port`, TCP.
    #[must_use]
    pub fn with_lsd(self, port: u16, seed: [u8; 32]) -> Self {
        let lsd = Some(Lsd::new(port, seed));
        Self { lsd, ..self }
    }

    /// Takes a torrent in. Nobody is asked before [`DiscoverRequest::Start`]. If the key is still
    /// telling its trackers that it leaves, that is cut short.
    ///
    /// # Errors
    /// The key is there already.
    pub fn add(&mut self, now: Instant, key: Key, swarm: Swarm) -> Result<Membership, AddError> {
        let (private, port) = (swarm.private, swarm.port);
        self.trackers.add(now, key, swarm)?;
        if let Some(dht) = self.dht.as_mut().filter(|_| !private) {
            dht.add(key, port);
        }
        let active = false;
        self.members.insert(key, Member { private, active });
        self.collect(now);
        Ok(Membership { key })
    }

    /// Carries out a wish of the engine. More peers are looked for as often as trackers' intervals
    /// and the budgets allow.
    pub fn request(&mut self, now: Instant, member: &Membership, request: DiscoverRequest) {
        let key = member.key;
        self.trackers.request(now, key, request);
        if let Some(dht) = &mut self.dht {
            dht.request(now, key, request);
        }
        match request {
            DiscoverRequest::Start => self.set_active(now, key, true),
            DiscoverRequest::Stop => self.set_active(now, key, false),
            DiscoverRequest::More | DiscoverRequest::Completed => {}
        }
        self.collect(now);
    }

    /// How far a torrent is, for its next announce. Cheap; announces nothing.
    pub fn update(&mut self, member: &Membership, amounts: Amounts) {
        self.trackers.update(member.key, amounts);
    }

    /// A torrent turned out to be private (BEP 27): from now on only its trackers are told of it.
    pub fn set_private(&mut self, now: Instant, member: &Membership) {
        let key = member.key;
        if let Some(member) = self.members.get_mut(&key) {
            member.private = true;
        }
        if let Some(dht) = &mut self.dht {
            dht.remove(now, key);
        }
        self.announce_locally(now, key.info_hash);
        self.collect(now);
    }

    /// Asks the trackers of a torrent how many seeds and leeches they know; see
    /// [`Trackers::scrape`].
    pub fn scrape(&mut self, now: Instant, member: &Membership) {
        self.trackers.scrape(now, member.key);
        self.collect(now);
    }

    /// Forgets a torrent. Trackers that know of us are told; [`Output::Left`] follows when that is
    /// over.
    pub fn remove(&mut self, now: Instant, member: Membership) {
        let Membership { key } = member;
        self.members.remove(&key);
        self.announce_locally(now, key.info_hash);
        if let Some(dht) = &mut self.dht {
            dht.remove(now, key);
        }
        self.trackers.remove(now, key);
        self.collect(now);
    }

    /// Whether no torrent is left, and no tracker is being told so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trackers.is_empty()
    }

    /// Takes in what happened. Answers to what was not asked are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => {
                self.trackers.handle(now, trackers::Input::Timeout);
                self.handle_dht(now, dht::Input::Timeout);
            }
            Input::HttpResponse { id, result } => {
                self.trackers
                    .handle(now, trackers::Input::HttpResponse { id, result });
            }
            Input::Resolved { id, result } => {
                self.trackers
                    .handle(now, trackers::Input::Resolved { id, result });
            }
            Input::UdpPacket { from, bytes } => {
                self.trackers
                    .handle(now, trackers::Input::UdpPacket { from, bytes });
            }
            Input::UdpFailed { to, message } => {
                self.trackers
                    .handle(now, trackers::Input::UdpFailed { to, message });
            }
            Input::DhtPacket { from, bytes } => {
                self.handle_dht(now, dht::Input::Packet { from, bytes });
            }
            Input::DhtResolved(addrs) => self.handle_dht(now, dht::Input::Resolved(addrs)),
            Input::DhtUnreachable(to) => self.handle_dht(now, dht::Input::Unreachable(to)),
            Input::DhtNode(addr) => self.handle_dht(now, dht::Input::Node(addr)),
            Input::LsdPacket { from, bytes } => {
                let lsd = self.lsd.as_mut();
                let heard = lsd.and_then(|lsd| lsd.handle_datagram(now, from, &bytes));
                if let Some((addr, swarms)) = heard {
                    self.push_neighbour(addr, &swarms);
                }
            }
        }
        self.collect(now);
    }

    fn handle_dht(&mut self, now: Instant, input: dht::Input) {
        if let Some(dht) = &mut self.dht {
            dht.handle(now, input);
        }
    }

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Discovery::handle`] with [`Input::Timeout`] at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let trackers = self.trackers.poll_timeout();
        let dht = self.dht.as_ref().and_then(Dht::poll_timeout);
        let lsd = self.lsd.as_ref().and_then(Lsd::poll_timeout);
        [
            trackers.map(|(at, reason)| (at, Reason::Trackers(reason))),
            dht.map(|(at, reason)| (at, Reason::Dht(reason))),
            lsd.map(|at| (at, Reason::Lsd)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whose question this is, as long as its answer is of use: drivers bound what one owner asks
    /// for.
    #[must_use]
    pub fn owner(&self, id: QueryId) -> Option<u64> {
        self.trackers.owner(id)
    }

    /// The trackers of a torrent, tier by tier, as the torrent has them.
    #[must_use]
    pub fn tracker_status(&self, key: Key) -> Vec<TrackerStatus> {
        self.trackers.tracker_status(key)
    }

    /// What the DHT knows of a torrent; `None`: it is not used, or not for this one.
    #[must_use]
    pub fn dht_counts(&self, key: Key) -> Option<DhtCounts> {
        self.dht.as_ref()?.counts(key)
    }

    /// Our node in the DHT; `None`: it is not used.
    #[must_use]
    pub const fn dht(&self) -> Option<&Dht> {
        self.dht.as_ref()
    }

    fn set_active(&mut self, now: Instant, key: Key, active: bool) {
        if let Some(member) = self.members.get_mut(&key) {
            member.active = active;
        }
        self.announce_locally(now, key.info_hash);
    }

    /// A swarm is announced on the local network as long as somebody in it wants peers and it is
    /// not private.
    fn announce_locally(&mut self, now: Instant, info_hash: InfoHashV1) {
        let wanted = self.open_members(info_hash).next().is_some();
        match &mut self.lsd {
            Some(lsd) if wanted => lsd.join(now, info_hash),
            Some(lsd) => lsd.leave(info_hash),
            None => {}
        }
    }

    /// Who of a swarm wants peers from others than its trackers.
    fn open_members(&self, info_hash: InfoHashV1) -> impl Iterator<Item = Key> {
        let [first, last] = [0, u64::MAX].map(|owner| Key { info_hash, owner });
        self.members
            .range(first..=last)
            .filter(|(_, member)| member.active && !member.private)
            .map(|(key, _)| *key)
    }

    fn push_neighbour(&mut self, addr: SocketAddr, swarms: &[InfoHashV1]) {
        let keys: Vec<Key> = swarms
            .iter()
            .flat_map(|swarm| self.open_members(*swarm))
            .collect();
        self.outputs
            .extend(keys.into_iter().map(|key| Output::Peers {
                key,
                source: PeerSource::Lsd,
                addrs: vec![addr],
            }));
    }

    /// Gathers what the parts want.
    fn collect(&mut self, now: Instant) {
        while let Some(output) = self.trackers.poll_output() {
            self.collect_from_trackers(now, output);
        }
        while let Some(output) = self.dht.as_mut().and_then(Dht::poll_output) {
            self.outputs.push_back(from_dht(output));
        }
        while let Some(announce) = self.lsd.as_mut().and_then(|lsd| lsd.poll_announce(now)) {
            self.outputs
                .push_back(Output::Net(NetRequest::LsdSend(announce)));
        }
    }

    fn collect_from_trackers(&mut self, now: Instant, output: trackers::Output) {
        use trackers::Output as From;
        let output = match output {
            From::HttpGet { id, url, family } => {
                Output::Net(NetRequest::HttpGet { id, url, family })
            }
            From::Resolve {
                id,
                what,
                host,
                port,
            } => Output::Net(NetRequest::Resolve {
                id,
                what,
                host,
                port,
            }),
            From::UdpSend { id, to, bytes } => Output::Net(NetRequest::UdpSend { id, to, bytes }),
            From::Cancel(id) => Output::Net(NetRequest::Cancel(id)),
            From::Peers { key, source, addrs } => Output::Peers { key, source, addrs },
            From::Status {
                key,
                index,
                status,
                ended,
            } => Output::Tracker {
                key,
                index,
                status,
                ended,
            },
            From::ExternalIp { key, ip, by } => {
                // It has one vote among those of the DHT's nodes.
                self.handle_dht(now, dht::Input::SeenAt { by, ip });
                Output::ExternalIp { key, ip }
            }
            From::Left(key) => Output::Left(key),
        };
        self.outputs.push_back(output);
    }
}

/// What the DHT wants, in the words of the whole.
fn from_dht(output: dht::Output) -> Output {
    use dht::Output as From;
    match output {
        From::Send { to, bytes } => Output::Net(NetRequest::DhtSend { to, bytes }),
        From::Resolve { host, port } => Output::Net(NetRequest::DhtResolve { host, port }),
        From::Peers { key, addrs } => Output::Peers {
            key,
            source: PeerSource::Dht,
            addrs,
        },
        From::Changed(key) => Output::DhtChanged(key),
        From::Looked { key, effort } => Output::DhtLooked { key, effort },
    }
}
