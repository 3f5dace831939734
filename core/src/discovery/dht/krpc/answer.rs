//! Answers (BEP 5, 32, 51). The answers to all queries are parsed the same way; fields are
//! optional.

use std::net::SocketAddr;
use std::time::Duration;

use super::compact::{NODE_V4, NODE_V6, put_contact, read_contacts};
use crate::bencode::{Dict, Encoded, Encoder};
use crate::discovery::dht::id::{Contact, NodeId};
use crate::net::compact;
use crate::types::InfoHashV1;

/// The maximum number of nodes of one family that are read from an answer (BEP 5). Only malicious
/// nodes send more.
pub const MAX_CONTACTS: usize = 8;

/// The maximum number of peers that are read from an answer: more than fit into a datagram of 1,280
/// bytes beside nodes.
pub const MAX_PEERS: usize = 120;

/// The maximum number of info-hashes that are read from an answer.
pub const MAX_SAMPLES: usize = 64;

/// The maximum length of a stored token in bytes. BEP 5 sets no limit; nodes use 4 to 20 bytes.
const MAX_TOKEN: usize = 64;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The id of the answering node.
    pub id: NodeId,
    /// Nodes close to the target, of both families (`nodes`, `nodes6`).
    pub contacts: Vec<Contact>,
    /// The token for a later announce.
    pub token: Option<&'a [u8]>,
    /// Peers of the swarm (`values`).
    pub peers: Vec<SocketAddr>,
    /// Swarms that the node stores (BEP 51).
    pub samples: Option<Samples>,
}

/// Swarms that a node stores (BEP 51).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// The time after which another query returns other swarms.
    pub interval: Duration,
    /// The total number of stored swarms.
    pub stored: u32,
    /// A sample of them.
    pub hashes: Vec<InfoHashV1>,
}

impl<'a> Answer<'a> {
    /// An answer that contains only the node's id.
    #[must_use]
    pub const fn new(id: NodeId) -> Self {
        Self {
            id,
            contacts: Vec::new(),
            token: None,
            peers: Vec::new(),
            samples: None,
        }
    }

    pub(super) fn read(dict: Dict<'a>) -> Option<Self> {
        let body = dict.dict("r")?;
        let id = NodeId(body.bytes("id")?.try_into().ok()?);
        let v4 = read_contacts(body.bytes("nodes").unwrap_or_default(), NODE_V4).take(MAX_CONTACTS);
        let v6 =
            read_contacts(body.bytes("nodes6").unwrap_or_default(), NODE_V6).take(MAX_CONTACTS);
        let peers = body
            .list("values")
            .into_iter()
            .flatten()
            .filter_map(|peer| compact::read(peer.as_bytes()?));
        Some(Self {
            id,
            contacts: v4.chain(v6).collect(),
            token: body.bytes("token").filter(|token| token.len() <= MAX_TOKEN),
            peers: peers.take(MAX_PEERS).collect(),
            samples: Samples::read(body),
        })
    }

    pub(super) fn put(&self, dict: &mut Encoder) {
        let mut body = Encoder::new();
        body.bytes("id", self.id.0);
        for (key, is_v4) in [("nodes", true), ("nodes6", false)] {
            let mut nodes = Vec::new();
            self.contacts
                .iter()
                .filter(|contact| contact.addr.is_ipv4() == is_v4)
                .for_each(|contact| put_contact(&mut nodes, contact));
            if !nodes.is_empty() {
                body.bytes(key, nodes);
            }
        }
        if let Some(token) = self.token {
            body.bytes("token", token);
        }
        if !self.peers.is_empty() {
            body.list("values", self.peers.iter().map(|peer| compact_peer(*peer)));
        }
        self.samples
            .iter()
            .for_each(|samples| samples.put(&mut body));
        dict.bytes("y", "r").put("r", &body);
    }
}

fn compact_peer(peer: SocketAddr) -> Encoded {
    let mut bytes = Vec::with_capacity(compact::LEN_V6);
    compact::write(&mut bytes, peer);
    Encoded::bytes(bytes)
}

impl Samples {
    fn read(body: Dict<'_>) -> Option<Self> {
        let (hashes, _) = body.bytes("samples")?.as_chunks::<20>();
        let hashes = hashes
            .iter()
            .take(MAX_SAMPLES)
            .map(|hash| InfoHashV1(*hash))
            .collect();
        let interval = Duration::from_secs(body.num::<u32>("interval").unwrap_or_default().into());
        Some(Self {
            interval,
            stored: body.num("num").unwrap_or_default(),
            hashes,
        })
    }

    fn put(&self, body: &mut Encoder) {
        let hashes: Vec<u8> = self.hashes.iter().flat_map(|hash| hash.0).collect();
        body.bytes("samples", hashes)
            .int("num", self.stored)
            .int("interval", self.interval.as_secs());
    }
}
