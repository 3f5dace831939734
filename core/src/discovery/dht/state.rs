//! The saved state of the DHT (a file of the driver): our ids, and nodes that were alive.

use super::id::{Contact, NodeId};
use super::io::Family;
use super::krpc::compact::{NODE_V4, NODE_V6, put_contact, read_contacts};
use crate::bencode::{BencodeError, Dict, Encoder, Limits, scan};
use crate::net::is_usable;

/// The version of the format below.
const VERSION: u32 = 1;

/// The maximum number of nodes per family.
const MAX_NODES: usize = 200;

/// The maximum size of a state in bytes.
pub const MAX_STATE: usize = 64 << 10;

/// Our ids and known nodes of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(super) v4: Saved,
    pub(super) v6: Saved,
}

/// The state of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) id: Option<NodeId>,
    pub(super) nodes: Vec<Contact>,
}

/// Why bytes are not a valid state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not bencode, or outside the limits.
    #[error("the saved DHT state is damaged: {0}")]
    Bencode(#[from] BencodeError),
    /// Another format or version.
    #[error("the saved DHT state has no version that this program knows ({VERSION})")]
    Version,
}

impl State {
    /// A state with these ids and nodes.
    #[must_use]
    pub fn new(
        ids: impl IntoIterator<Item = (Family, NodeId)>,
        nodes: impl IntoIterator<Item = Contact>,
    ) -> Self {
        let mut state = Self::default();
        ids.into_iter()
            .for_each(|(family, id)| state.of_mut(family).id = Some(id));
        nodes
            .into_iter()
            .for_each(|node| state.of_mut(Family::of(&node.addr)).nodes.push(node));
        state
    }

    /// Whether it contains no node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.v4.nodes.is_empty() && self.v6.nodes.is_empty()
    }

    /// The state with nodes only, since ids must not be shared between processes.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        (self.v4.id, self.v6.id) = (None, None);
        self
    }

    fn of_mut(&mut self, family: Family) -> &mut Saved {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    pub(super) fn take(&mut self, family: Family) -> Saved {
        std::mem::take(self.of_mut(family))
    }

    /// Parses the output of [`State::encode`]. A damaged or forged state does little harm, since
    /// nodes are queried before they are used.
    ///
    /// # Errors
    /// The format or the version is different.
    pub fn parse(bytes: &[u8]) -> Result<Self, StateError> {
        let limits = Limits {
            bytes: MAX_STATE,
            ..Limits::MESSAGE
        };
        let dict = scan(bytes, limits)?
            .as_dict()
            .filter(|dict| dict.num("version") == Some(VERSION))
            .ok_or(StateError::Version)?;
        Ok(Self {
            v4: Saved::read(dict, "id", "nodes", NODE_V4),
            v6: Saved::read(dict, "id6", "nodes6", NODE_V6),
        })
    }

    /// Encodes the state.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut dict = Encoder::new();
        dict.int("version", VERSION);
        self.v4.put(&mut dict, "id", "nodes");
        self.v6.put(&mut dict, "id6", "nodes6");
        dict.finish()
    }
}

impl Saved {
    fn read(dict: Dict<'_>, id: &str, nodes: &str, length: usize) -> Self {
        let contacts = read_contacts(dict.bytes(nodes).unwrap_or_default(), length);
        Self {
            id: dict.bytes(id).and_then(|id| id.try_into().ok()).map(NodeId),
            nodes: contacts
                .filter(|contact| is_usable(contact.addr))
                .take(MAX_NODES)
                .collect(),
        }
    }

    fn put(&self, dict: &mut Encoder, id: &str, nodes: &str) {
        if let Some(NodeId(bytes)) = self.id {
            dict.bytes(id, bytes);
        }
        let mut compact = Vec::new();
        self.nodes
            .iter()
            .take(MAX_NODES)
            .for_each(|contact| put_contact(&mut compact, contact));
        dict.bytes(nodes, compact);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn contact(n: u8, addr: &str) -> Contact {
        Contact {
            id: NodeId([n; 20]),
            addr: addr.parse().unwrap(),
        }
    }

    #[test]
    fn ids_and_nodes_of_both_families_are_read_back() {
        let nodes = [
            contact(1, "11.0.0.1:6881"),
            contact(2, "[2606:4700::1]:6881"),
            contact(3, "127.0.0.1:7"),
        ];
        let state = State::new(
            [(Family::V4, NodeId([9; 20])), (Family::V6, NodeId([8; 20]))],
            nodes,
        );
        assert_eq!(State::parse(&state.encode()), Ok(state));
    }

    #[test]
    fn another_version_and_torn_bytes_are_refused() {
        assert_eq!(State::parse(b"d7:versioni2ee"), Err(StateError::Version));
        let whole = State::default().encode();
        assert!(State::parse(&whole[..whole.len() - 1]).is_err());
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(128))]

        #[test]
        fn hostile_bytes_give_few_and_usable_nodes(nodes in prop::collection::vec(any::<u8>(), 0..9000)) {
            let mut dict = Encoder::new();
            dict.int("version", 1).bytes("nodes", &nodes).bytes("nodes6", &nodes).bytes("id", &nodes);
            let state = State::parse(&dict.finish()).unwrap();
            let all: Vec<_> = state.v4.nodes.iter().chain(&state.v6.nodes).collect();
            assert!(all.len() <= 2 * MAX_NODES && all.iter().all(|contact| is_usable(contact.addr)));
        }
    }
}
