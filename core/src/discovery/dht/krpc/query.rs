//! Queries: `ping`, `find_node`, `get_peers`, `announce_peer` (BEP 5), `sample_infohashes` (BEP
//! 51).

use crate::bencode::{Dict, Encoded, Encoder};
use crate::discovery::dht::id::NodeId;
use crate::types::InfoHashV1;

/// The maximum length of a token in bytes. Nodes choose tokens and receive them back with our
/// announce.
const MAX_TOKEN: usize = 64;

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// The id of the querying node.
    pub id: NodeId,
    /// The families of nodes that it wants (BEP 32); `None`: that of the query's address.
    pub want: Option<Want>,
    /// The method and its arguments.
    pub method: Method<'a>,
}

/// Address families of nodes (`n4`, `n6`; BEP 32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// The method of a query, with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'a> {
    /// Checks whether the node is alive.
    Ping,
    /// Requests nodes close to this id.
    FindNode(NodeId),
    /// Requests peers of this swarm, and nodes close to it.
    GetPeers(InfoHashV1),
    /// Announces the querying node as a peer of a swarm.
    Announce {
        /// The swarm.
        info_hash: InfoHashV1,
        /// The listening port; `None`: the source port of the query (`implied_port`).
        port: Option<u16>,
        /// The token from an answer to [`Method::GetPeers`].
        token: &'a [u8],
    },
    /// Requests a sample of stored swarms, and nodes close to this id (BEP 51).
    Sample(NodeId),
}

/// Why a query cannot be answered. The text is sent to the querying node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// An argument is missing or invalid.
    #[error("the argument `{0}` is missing or malformed")]
    Argument(&'static str),
    /// The token was not recently issued to this address.
    #[error("the token is not valid, ask get_peers for one")]
    Token,
    /// The method is unknown.
    #[error("unknown method")]
    Method,
}

impl QueryError {
    /// The error code of BEP 5: 203 for a protocol error, 204 for an unknown method.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Argument(_) | Self::Token => 203,
            Self::Method => 204,
        }
    }
}

impl<'a> Query<'a> {
    pub(super) fn read(dict: Dict<'a>) -> Result<Self, QueryError> {
        let arguments = dict.dict("a").ok_or(QueryError::Argument("a"))?;
        let method = Method::read(dict.bytes("q").unwrap_or_default(), arguments)?;
        Ok(Self {
            id: id(arguments, "id")?,
            want: read_want(arguments),
            method,
        })
    }

    pub(super) fn put(&self, dict: &mut Encoder) {
        let mut arguments = Encoder::new();
        arguments.bytes("id", self.id.0);
        self.method.put(&mut arguments);
        if let Some(want) = self.want {
            let names = [(want.v4, "n4"), (want.v6, "n6")]
                .into_iter()
                .filter(|(wanted, _)| *wanted);
            arguments.list("want", names.map(|(_, name)| Encoded::bytes(name)));
        }
        dict.bytes("y", "q")
            .bytes("q", self.method.name())
            .put("a", &arguments);
    }
}

impl<'a> Method<'a> {
    fn read(name: &[u8], arguments: Dict<'a>) -> Result<Self, QueryError> {
        match name {
            b"ping" => Ok(Self::Ping),
            b"find_node" => id(arguments, "target").map(Self::FindNode),
            b"get_peers" => info_hash(arguments).map(Self::GetPeers),
            b"announce_peer" => Self::read_announce(arguments),
            b"sample_infohashes" => id(arguments, "target").map(Self::Sample),
            // Future methods are likely to have a target too; nodes close to it are a useful
            // answer.
            _ => id(arguments, "target")
                .or_else(|_| id(arguments, "info_hash"))
                .map(Self::FindNode)
                .map_err(|_| QueryError::Method),
        }
    }

    fn read_announce(arguments: Dict<'a>) -> Result<Self, QueryError> {
        let implied = arguments
            .num::<i64>("implied_port")
            .is_some_and(|flag| flag != 0);
        let port = arguments.num::<u16>("port").filter(|port| *port != 0);
        if port.is_none() && !implied {
            return Err(QueryError::Argument("port"));
        }
        let token = arguments
            .bytes("token")
            .filter(|token| token.len() <= MAX_TOKEN)
            .ok_or(QueryError::Argument("token"))?;
        Ok(Self::Announce {
            info_hash: info_hash(arguments)?,
            port: port.filter(|_| !implied),
            token,
        })
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::FindNode(_) => "find_node",
            Self::GetPeers(_) => "get_peers",
            Self::Announce { .. } => "announce_peer",
            Self::Sample(_) => "sample_infohashes",
        }
    }

    fn put(&self, arguments: &mut Encoder) {
        match self {
            Self::Ping => {}
            Self::FindNode(target) | Self::Sample(target) => {
                arguments.bytes("target", target.0);
            }
            Self::GetPeers(info_hash) => {
                arguments.bytes("info_hash", info_hash.0);
            }
            Self::Announce {
                info_hash,
                port,
                token,
            } => {
                arguments
                    .bytes("info_hash", info_hash.0)
                    .bytes("token", token)
                    .int("implied_port", u8::from(port.is_none()));
                // Older nodes do not know `implied_port` and refuse an announce without a port.
                arguments.int("port", port.unwrap_or(1));
            }
        }
    }
}

fn id(arguments: Dict<'_>, key: &'static str) -> Result<NodeId, QueryError> {
    arguments
        .bytes(key)
        .and_then(|id| id.try_into().ok())
        .map(NodeId)
        .ok_or(QueryError::Argument(key))
}

fn info_hash(arguments: Dict<'_>) -> Result<InfoHashV1, QueryError> {
    id(arguments, "info_hash").map(|NodeId(hash)| InfoHashV1(hash))
}

fn read_want(arguments: Dict<'_>) -> Option<Want> {
    let list = arguments.list("want")?;
    Some(
        list.fold(Want::default(), |want, name| match name.as_bytes() {
            Some(b"n4") => Want { v4: true, ..want },
            Some(b"n6") => Want { v6: true, ..want },
            _ => want,
        }),
    )
}
