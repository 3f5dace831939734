//! A node that wants lookups to fail. It answers pings as honest nodes do, so that it gets into their tables.

use std::net::SocketAddr;

use aqueduct_core::discovery::dht::krpc::{Answer, Body, MAX_CONTACTS, Message, Method, Query};
use aqueduct_core::discovery::dht::{Contact, NodeId};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Port at which a liar is whoever its friends said it is.
const FALSE_PORT: u16 = 6882;

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Answers nothing but pings.
    Mute,
    /// Names nodes next to every target that do not exist.
    Inventor,
    /// Names its friends, who all claim to be next to every target, know no peers, and take announces.
    Conspirator,
    /// Answers with as much as fits: invented nodes and peers.
    Flooder,
    /// Answers under another id every time.
    Changeling,
}

const KINDS: [Kind; 5] = [Kind::Mute, Kind::Inventor, Kind::Conspirator, Kind::Flooder, Kind::Changeling];

/// One liar.
#[derive(Debug)]
pub(super) struct Liar {
    id: NodeId,
    kind: Kind,
    /// Other liars.
    friends: Vec<SocketAddr>,
}

impl Liar {
    pub(super) fn new(contact: Contact, number: u32, liars: &[Contact]) -> Self {
        let start = number as usize;
        let friends = liars.iter().cycle().skip(start + 1).take(32.min(liars.len())).map(|liar| SocketAddr::new(liar.addr.ip(), FALSE_PORT));
        Self { id: contact.id, kind: KINDS[start % KINDS.len()], friends: friends.collect() }
    }

    /// The datagram that it answers with. `at`: where the question arrived.
    pub(super) fn answer(&self, at: SocketAddr, from: SocketAddr, bytes: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        let message = Message::parse(bytes).ok()?;
        let Body::Query(query) = &message.body else { return None };
        let target = target(query);
        let answer = match target {
            None => Answer::new(self.id),
            Some(target) => self.lie(at, target, rng)?,
        };
        Some(Message { transaction: message.transaction, read_only: false, ip: Some(from), body: Body::Answer(answer) }.encode())
    }

    fn lie(&self, at: SocketAddr, target: NodeId, rng: &mut ChaCha8Rng) -> Option<Answer<'static>> {
        let honest = Answer { token: Some(b"believe"), ..Answer::new(self.id) };
        match self.kind {
            Kind::Mute => None,
            Kind::Inventor => Some(Answer { contacts: invented(target, rng), ..honest }),
            Kind::Conspirator => {
                let id = if at.port() == FALSE_PORT { next_to(target, at) } else { self.id };
                let named = (0..MAX_CONTACTS).map(|_| self.friends[rng.random_range(0..self.friends.len())]);
                Some(Answer { id, contacts: named.map(|addr| Contact { id: next_to(target, addr), addr }).collect(), ..honest })
            }
            Kind::Flooder => {
                let peers = (0..300).map(|_| somewhere(rng)).collect();
                Some(Answer { contacts: invented(target, rng), peers, ..honest })
            }
            Kind::Changeling => Some(Answer { id: NodeId(rng.random()), contacts: invented(target, rng), ..honest }),
        }
    }
}

fn target(query: &Query<'_>) -> Option<NodeId> {
    match query.method {
        Method::Ping => None,
        Method::FindNode(target) | Method::Sample(target) => Some(target),
        Method::GetPeers(hash) | Method::Announce { info_hash: hash, .. } => Some(hash.into()),
    }
}

/// Closer to the target than any honest node will ever be, and the same whoever says it.
fn next_to(target: NodeId, addr: SocketAddr) -> NodeId {
    let mut id = target;
    if let SocketAddr::V4(v4) = addr {
        id.0[16..].iter_mut().zip(v4.ip().octets()).for_each(|(byte, octet)| *byte ^= octet);
    }
    id
}

fn invented(target: NodeId, rng: &mut ChaCha8Rng) -> Vec<Contact> {
    let addrs: Vec<SocketAddr> = (0..MAX_CONTACTS).map(|_| somewhere(rng)).collect();
    addrs.into_iter().map(|addr| Contact { id: next_to(target, addr), addr }).collect()
}

/// A public address at which nobody is.
fn somewhere(rng: &mut ChaCha8Rng) -> SocketAddr {
    SocketAddr::from(([rng.random_range(200..=222), rng.random(), rng.random(), rng.random()], 6881))
}
