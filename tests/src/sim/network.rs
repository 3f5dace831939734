//! The network requests of discovery: trackers, DHT datagrams, and multicast on a local network.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::discovery::dht::krpc::{Body, Message, Method};
use aqueduct_core::discovery::lsd::GROUP_V4;
use aqueduct_core::discovery::trackers::{self, http, udp};
use aqueduct_core::discovery::{Fetched, Input, NetRequest, dht};
use aqueduct_core::tracker;
use aqueduct_core::types::InfoHashV1;
use bytes::Bytes;
use rand::RngExt;

use super::host::HostId;
use super::net::path;
use super::tracker::ADDR;
use super::world::{ScheduledEvent, World};

/// The response time of trackers and of name servers.
const ANSWER_TIME: Duration = Duration::from_millis(80);

/// The number of bootstrap nodes that a name resolves to.
const BOOTSTRAP_NODES: usize = 8;

impl World {
    pub(super) fn carry_out_net(&mut self, id: HostId, request: NetRequest) {
        match request {
            NetRequest::Trackers(request) => self.carry_out_for_trackers(id, request),
            NetRequest::Dht(dht::Request::Send { to, bytes }) => self.send_to_node(id, to, bytes),
            NetRequest::Dht(dht::Request::Resolve { .. }) => {
                let nodes = self.bootstrap_nodes(id);
                self.answer(id, Input::Dht(dht::Input::Resolved(nodes)));
            }
            NetRequest::Lsd(announce) => {
                let bytes = Bytes::from(announce.encode(GROUP_V4.into()));
                self.send_to_neighbours(id, &bytes);
            }
        }
    }

    fn carry_out_for_trackers(&mut self, id: HostId, request: trackers::Request) {
        use trackers::Request;
        match request {
            Request::HttpGet { id: query, url, .. } => {
                let body = self.ask_tracker(id, &url);
                let fetched = Fetched {
                    body: body.into(),
                    from: ADDR.ip(),
                    dual: false,
                };
                let result = Ok(fetched);
                self.answer_for_trackers(id, trackers::Input::HttpResponse { id: query, result });
            }
            Request::Resolve { id: query, .. } => {
                let result = Ok(vec![ADDR]);
                self.answer_for_trackers(id, trackers::Input::Resolved { id: query, result });
            }
            Request::UdpSend { bytes, .. } => self.send_to_tracker(id, &bytes),
            // The result of a cancelled request is ignored.
            Request::Cancel(_) => {}
        }
    }

    fn answer_for_trackers(&mut self, id: HostId, input: trackers::Input) {
        self.answer(id, Input::Trackers(input));
    }

    /// Delivers a result to a host after the usual time, unless the host has been stopped by then.
    fn answer(&mut self, id: HostId, input: Input) {
        let life = self.hosts[id.0].life;
        self.agenda
            .after(ANSWER_TIME, ScheduledEvent::Net(id, life, input));
    }

    fn ask_tracker(&mut self, id: HostId, url: &str) -> Vec<u8> {
        let (now, from) = (self.agenda.now(), self.hosts[id.0].addr());
        let (_, query) = url.split_once('?').expect("an announce has arguments");
        let request = tracker::http::Request::parse(query.as_bytes());
        let swarm = request.expect("a whole announce").announce.info_hash;
        self.tracker.add_ghosts_to(now, swarm);
        let body = self.tracker.answer_http(now, from.ip(), query);
        let named = http::parse_answer(&body).map_or_else(|_| Vec::new(), |answer| answer.peers);
        self.hosts[id.0].note_named(swarm, &named);
        body
    }

    fn send_to_tracker(&mut self, id: HostId, datagram: &[u8]) {
        let (now, from) = (self.agenda.now(), self.hosts[id.0].addr());
        let swarm = match tracker::udp::Request::parse(datagram) {
            Some((_, tracker::udp::Request::Announce(_, announce))) => Some(announce.info_hash),
            _ => None,
        };
        if let Some(swarm) = swarm {
            self.tracker.add_ghosts_to(now, swarm);
        }
        let Some(bytes) = self.tracker.answer_udp(now, from, datagram) else {
            return;
        };
        let answer = udp::Response::parse(&bytes).map(|response| response.as_answer(false));
        if let (Some(swarm), Some(Ok(Some(answer)))) = (swarm, answer) {
            self.hosts[id.0].note_named(swarm, &answer.peers);
        }
        let (from, bytes) = (ADDR, bytes.into());
        self.answer_for_trackers(id, trackers::Input::UdpPacket { from, bytes });
    }

    fn send_to_node(&mut self, from: HostId, to: SocketAddr, bytes: Bytes) {
        let message = Message::parse(&bytes).expect("our own datagram is well-formed");
        self.hosts[from.0].note_dht_datagram(to, &message);
        let at = |host: &super::Host| host.dht_addr() == Some(to);
        let Some(target) = self.hosts.iter().find(|host| at(host)).map(|host| host.id) else {
            return;
        };
        let Some(from_addr) = self.hosts[from.0].dht_addr() else {
            return;
        };
        let way = self.way_between(from, target);
        let input = Input::Dht(dht::Input::Packet {
            from: from_addr,
            bytes,
        });
        self.agenda
            .after(way, ScheduledEvent::Datagram(target, input));
    }

    /// All hosts with local discovery are on one network.
    fn send_to_neighbours(&mut self, from: HostId, bytes: &Bytes) {
        let neighbours = self.hosts.iter().filter(|host| host.plan.lsd);
        let neighbours: Vec<HostId> = neighbours.map(|host| host.id).collect();
        for to in neighbours {
            let way = self.way_between(from, to);
            let input = Input::Lsd {
                from: self.hosts[from.0].local_addr().ip(),
                bytes: bytes.clone(),
            };
            self.agenda.after(way, ScheduledEvent::Datagram(to, input));
        }
    }

    fn way_between(&mut self, a: HostId, b: HostId) -> Duration {
        let [a, b] = [a, b].map(|id| self.hosts[id.0].line.access);
        path(&a, &b, &mut self.rng)
    }

    fn bootstrap_nodes(&self, id: HostId) -> Vec<SocketAddr> {
        let others = self.hosts.iter().filter(|host| host.id != id && host.alive);
        others
            .filter_map(|host| host.dht_addr())
            .take(BOOTSTRAP_NODES)
            .collect()
    }

    /// Sends a meaningless datagram to a host's sockets of trackers and of the DHT.
    pub fn throw_junk(&mut self, id: HostId) {
        let bytes: Bytes = (0..self.rng.random_range(1..200usize))
            .map(|_| self.rng.random::<u8>())
            .collect();
        let from = SocketAddr::from(([47, 0, 0, self.rng.random()], self.rng.random()));
        let udp = trackers::Input::UdpPacket {
            from,
            bytes: bytes.clone(),
        };
        let dht = dht::Input::Packet { from, bytes };
        for input in [Input::Trackers(udp), Input::Dht(dht)] {
            self.agenda
                .after(Duration::ZERO, ScheduledEvent::Datagram(id, input));
        }
    }
}

/// The swarm that a DHT datagram announces, if any.
pub(super) fn announced(message: &Message<'_>) -> Option<InfoHashV1> {
    match &message.body {
        Body::Query(query) => match query.method {
            Method::Announce { info_hash, .. } => Some(info_hash),
            _ => None,
        },
        _ => None,
    }
}

/// The swarm that a DHT datagram queries or announces, if any.
pub(super) fn named_swarm(message: &Message<'_>) -> Option<InfoHashV1> {
    match &message.body {
        Body::Query(query) => match query.method {
            Method::GetPeers(info_hash) => Some(info_hash),
            _ => announced(message),
        },
        _ => None,
    }
}
