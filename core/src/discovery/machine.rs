//! Trackers, the DHT and local discovery as one state machine, and which of them may be used for a
//! torrent (BEP 27).

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::dht::{self, Dht, DhtCounts};
use super::io::{Input, NetRequest, Output, Reason};
use super::lsd::Lsd;
use super::swarm::{AddError, Amounts, Key, Swarm};
use super::trackers::{self, Config, QueryId, TrackerStatus, Trackers};
use crate::io::DiscoverRequest;
use crate::types::{InfoHashV1, Instant, PeerSource};

/// A torrent that was added with [`Discovery::add`]. Every request for a torrent takes a
/// membership, and only adding creates one, so nothing can be requested for an unknown torrent.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without its membership a torrent can neither be searched for nor removed"]
pub struct Membership {
    key: Key,
}

impl Membership {
    /// The key that identifies it in outputs.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }
}

/// The state of a member.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// BEP 27: only its trackers may be used.
    private: bool,
    /// Whether it was started and not stopped.
    active: bool,
}

/// Finds peers for any number of torrents.
#[derive(Debug)]
pub struct Discovery {
    trackers: Trackers,
    /// `None` if the DHT is not used.
    dht: Option<Dht>,
    /// `None` if local discovery is not used.
    lsd: Option<Lsd>,
    members: BTreeMap<Key, Member>,
    outputs: VecDeque<Output>,
}

impl Discovery {
    /// Creates discovery without torrents, with trackers only.
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

    /// As [`Discovery::new`], with a DHT node, which has the ids and contacts of an earlier run if
    /// there was one.
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

    /// Adds local discovery, which announces that peers reach us at TCP port `port`.
    #[must_use]
    pub fn with_lsd(self, port: u16, seed: [u8; 32]) -> Self {
        let lsd = Some(Lsd::new(port, seed));
        Self { lsd, ..self }
    }

    /// Adds a torrent. No request is sent before [`DiscoverRequest::Start`]. If the key is still
    /// telling its trackers that it leaves, that is cancelled.
    ///
    /// # Errors
    /// The key exists already.
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

    /// Handles a request of the engine. More peers are requested as often as the trackers'
    /// intervals and the budgets permit.
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

    /// Updates the amounts for a torrent's next announce. This is cheap and sends nothing.
    pub fn update(&mut self, member: &Membership, amounts: Amounts) {
        self.trackers.update(member.key, amounts);
    }

    /// Changes the port at which peers reach us for a torrent, for its trackers and the DHT. Local
    /// discovery keeps its own: neighbours reach us directly.
    pub fn set_port(&mut self, now: Instant, member: &Membership, port: u16) {
        self.trackers.set_port(now, member.key, port);
        if let Some(dht) = &mut self.dht {
            dht.set_port(now, member.key, port);
        }
        self.collect(now);
    }

    /// Marks a torrent as private (BEP 27): from now on only its trackers are used.
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

    /// Asks the trackers of a torrent for their counts of seeds and leeches; see
    /// [`Trackers::scrape`].
    pub fn scrape(&mut self, now: Instant, member: &Membership) {
        self.trackers.scrape(now, member.key);
        self.collect(now);
    }

    /// Removes a torrent. Trackers that list us are told; [`Output::Left`] follows when that is
    /// complete.
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

    /// Whether no torrent is left, including those that are still telling their trackers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trackers.is_empty()
    }

    /// Processes an input. Results that were not requested are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => {
                self.trackers.handle(now, trackers::Input::Timeout);
                self.handle_dht(now, dht::Input::Timeout);
            }
            Input::Trackers(input) => self.trackers.handle(now, input),
            Input::Dht(input) => self.handle_dht(now, input),
            Input::NetworkReturned => {
                self.trackers.handle_network_return(now);
                if let Some(dht) = &mut self.dht {
                    dht.handle_network_return(now);
                }
                if let Some(lsd) = &mut self.lsd {
                    lsd.handle_network_return(now);
                }
            }
            Input::Lsd { from, bytes } => {
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

    /// Returns the next output, in order; `None` if there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The time by which [`Discovery::handle`] must be called with [`Input::Timeout`], and the
    /// reason.
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

    /// Whether the result of a request for trackers is still needed.
    #[must_use]
    pub fn is_open(&self, id: QueryId) -> bool {
        self.trackers.is_open(id)
    }

    /// The trackers of a torrent, tier by tier, in the torrent's order.
    #[must_use]
    pub fn tracker_status(&self, key: Key) -> Vec<TrackerStatus> {
        self.trackers.tracker_status(key)
    }

    /// The DHT's counts for a torrent; `None` if the DHT is not used, or not for this torrent.
    #[must_use]
    pub fn dht_counts(&self, key: Key) -> Option<DhtCounts> {
        self.dht.as_ref()?.counts(key)
    }

    /// Our DHT node; `None` if the DHT is not used.
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

    /// Announces a swarm on the local network while any of its members wants peers and is not
    /// private.
    fn announce_locally(&mut self, now: Instant, info_hash: InfoHashV1) {
        let wanted = self.open_members(info_hash).next().is_some();
        match &mut self.lsd {
            Some(lsd) if wanted => lsd.join(now, info_hash),
            Some(lsd) => lsd.leave(info_hash),
            None => {}
        }
    }

    /// The members of a swarm that may use other sources than trackers.
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

    /// Collects the outputs of the parts.
    fn collect(&mut self, now: Instant) {
        while let Some(output) = self.trackers.poll_output() {
            self.collect_from_trackers(now, output);
        }
        while let Some(output) = self.dht.as_mut().and_then(Dht::poll_output) {
            self.outputs.push_back(from_dht(output));
        }
        while let Some(announce) = self.lsd.as_mut().and_then(|lsd| lsd.poll_announce(now)) {
            self.outputs
                .push_back(Output::Net(NetRequest::Lsd(announce)));
        }
    }

    fn collect_from_trackers(&mut self, now: Instant, output: trackers::Output) {
        use trackers::Output as From;
        let output = match output {
            From::Net(request) => Output::Net(NetRequest::Trackers(request)),
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
                // It counts as one vote among those of the DHT's nodes.
                self.handle_dht(now, dht::Input::SeenAt { by, ip });
                Output::ExternalIp { key, ip }
            }
            From::Left(key) => Output::Left(key),
        };
        self.outputs.push_back(output);
    }
}

/// Converts an output of the DHT.
fn from_dht(output: dht::Output) -> Output {
    use dht::Output as From;
    match output {
        From::Net(request) => Output::Net(NetRequest::Dht(request)),
        From::Peers { key, addrs } => Output::Peers {
            key,
            source: PeerSource::Dht,
            addrs,
        },
        From::Changed(key) => Output::DhtChanged(key),
        From::LookupEnded { key, effort } => Output::DhtLookupEnded { key, effort },
    }
}
