//! A malicious DHT node that tries to make lookups fail. It answers pings as honest nodes do, in
//! order to be added to their tables.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use aqueduct_core::discovery::dht::krpc::{Answer, Body, MAX_CONTACTS, Message, Method, Query};
use aqueduct_core::discovery::dht::{Contact, Family, NodeId};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// At this port a liar uses whichever id other liars claimed for it.
const FALSE_PORT: u16 = 6882;

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Answers pings only.
    Mute,
    /// Returns nonexistent nodes next to every target.
    Inventor,
    /// Returns other liars, which all claim to be next to every target, know no peers, and accept
    /// announces.
    Conspirator,
    /// Answers with as many invented nodes and peers as fit.
    Flooder,
    /// Uses another id in each answer.
    Changeling,
    /// Claims to be all nodes next to every target: at many ports of its address, or at many
    /// addresses of its /64.
    Crowd,
}

const KINDS: [Kind; 6] = [
    Kind::Mute,
    Kind::Inventor,
    Kind::Conspirator,
    Kind::Flooder,
    Kind::Changeling,
    Kind::Crowd,
];

/// A liar in one address family.
#[derive(Debug)]
pub(super) struct Liar {
    contact: Contact,
    kind: Kind,
    /// Other liars.
    friends: Vec<SocketAddr>,
}

impl Liar {
    pub(super) fn new(contact: Contact, number: u32, liars: &[Contact]) -> Self {
        let start = number as usize;
        let friends = liars
            .iter()
            .cycle()
            .skip(start + 1)
            .take(32.min(liars.len()))
            .map(|liar| SocketAddr::new(liar.addr.ip(), FALSE_PORT));
        Self {
            contact,
            kind: KINDS[start % KINDS.len()],
            friends: friends.collect(),
        }
    }

    /// The answer to a datagram, if any. `at` is the address that the query was sent to.
    pub(super) fn answer(
        &self,
        at: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        rng: &mut ChaCha8Rng,
    ) -> Option<Vec<u8>> {
        let message = Message::parse(bytes).ok()?;
        let Body::Query(query) = &message.body else {
            return None;
        };
        let target = target(query);
        let answer = match target {
            None => Answer::new(self.contact.id),
            Some(target) => self.lie(at, target, rng)?,
        };
        Some(
            Message {
                transaction: message.transaction,
                read_only: false,
                ip: Some(from),
                body: Body::Answer(answer),
            }
            .encode(),
        )
    }

    fn lie(&self, at: SocketAddr, target: NodeId, rng: &mut ChaCha8Rng) -> Option<Answer<'static>> {
        let family = Family::of(&at);
        let id = if at == self.contact.addr {
            self.contact.id
        } else {
            next_to(target, at)
        };
        let honest = Answer {
            token: Some(b"believe"),
            ..Answer::new(id)
        };
        match self.kind {
            Kind::Mute => None,
            Kind::Inventor => Some(Answer {
                contacts: invented(target, family, rng),
                ..honest
            }),
            Kind::Conspirator => {
                let named = (0..MAX_CONTACTS)
                    .map(|_| self.friends[rng.random_range(0..self.friends.len())]);
                Some(Answer {
                    contacts: named.map(|addr| claimed(target, addr)).collect(),
                    ..honest
                })
            }
            Kind::Flooder => {
                let peers = (0..300).map(|_| somewhere(family, rng)).collect();
                Some(Answer {
                    contacts: invented(target, family, rng),
                    peers,
                    ..honest
                })
            }
            Kind::Changeling => Some(Answer {
                id: NodeId(rng.random()),
                contacts: invented(target, family, rng),
                ..honest
            }),
            Kind::Crowd => {
                let many = (0..MAX_CONTACTS).map(|_| self.elsewhere(rng));
                Some(Answer {
                    contacts: many.map(|addr| claimed(target, addr)).collect(),
                    ..honest
                })
            }
        }
    }

    /// Another address at which the liar receives datagrams.
    fn elsewhere(&self, rng: &mut ChaCha8Rng) -> SocketAddr {
        match self.contact.addr.ip() {
            IpAddr::V4(_) => SocketAddr::new(self.contact.addr.ip(), rng.random_range(7000..8000)),
            IpAddr::V6(v6) => SocketAddr::from((
                Ipv6Addr::from_bits(v6.to_bits() ^ u128::from(rng.random::<u64>())),
                FALSE_PORT,
            )),
        }
    }
}

fn target(query: &Query<'_>) -> Option<NodeId> {
    match query.method {
        Method::Ping => None,
        Method::FindNode(target) | Method::Sample(target) => Some(target),
        Method::GetPeers(hash)
        | Method::Announce {
            info_hash: hash, ..
        } => Some(hash.into()),
    }
}

/// An id closer to the target than any honest node's. It is a function of the address, so that all
/// liars return the same one.
fn next_to(target: NodeId, addr: SocketAddr) -> NodeId {
    let octets = match addr.ip() {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => u32::try_from(v6.to_bits() >> 80 & 0xffff_ffff ^ v6.to_bits() & 0xffff)
            .expect("32 bits"),
    };
    let mut id = target;
    id.0[14..16]
        .iter_mut()
        .zip(addr.port().to_be_bytes())
        .for_each(|(byte, port)| *byte ^= port);
    id.0[16..]
        .iter_mut()
        .zip(octets.to_be_bytes())
        .for_each(|(byte, octet)| *byte ^= octet);
    id
}

fn claimed(target: NodeId, addr: SocketAddr) -> Contact {
    Contact {
        id: next_to(target, addr),
        addr,
    }
}

fn invented(target: NodeId, family: Family, rng: &mut ChaCha8Rng) -> Vec<Contact> {
    (0..MAX_CONTACTS)
        .map(|_| claimed(target, somewhere(family, rng)))
        .collect()
}

/// An unused public address.
fn somewhere(family: Family, rng: &mut ChaCha8Rng) -> SocketAddr {
    match family {
        Family::V4 => SocketAddr::from((
            [
                rng.random_range(200..=222),
                rng.random(),
                rng.random(),
                rng.random(),
            ],
            6881,
        )),
        Family::V6 => SocketAddr::from((
            Ipv6Addr::from_bits(0x2c0f << 112 | u128::from(rng.random::<u64>()) << 40 | 1),
            6881,
        )),
    }
}
