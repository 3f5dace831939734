//! KRPC (BEP 5): one bencoded dictionary per datagram.

mod answer;
pub(super) mod compact;
mod query;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use answer::{Answer, MAX_CONTACTS, MAX_PEERS, MAX_SAMPLES, Samples};
pub use query::{Method, Query, QueryError, Want};

use crate::bencode::{BencodeError, Dict, Encoded, Encoder, Limits, scan};
use crate::net;
use crate::types::visible;

/// The maximum length of a datagram. Answers of other clients contain up to a few hundred peers.
const LIMITS: Limits = Limits {
    bytes: 8 << 10,
    ..Limits::MESSAGE
};

/// The maximum length of a transaction id that is answered. All clients use two to eight bytes.
const MAX_TRANSACTION: usize = 32;

/// The maximum length of a stored error text in bytes.
const MAX_TEXT: usize = 128;

/// The client and its version (`v`, BEP 5).
const VERSION: [u8; 4] = *b"AQ\x01\x00";

/// A KRPC message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The transaction id, chosen by the querying node and repeated in the answer.
    pub transaction: &'a [u8],
    /// Whether the sender does not answer queries (`ro`, BEP 43).
    pub read_only: bool,
    /// Our address as seen by the answering node (`ip`, BEP 42).
    pub ip: Option<SocketAddr>,
    /// The body of the message.
    pub body: Body<'a>,
}

/// The body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A query.
    Query(Query<'a>),
    /// A query that cannot be answered.
    BadQuery(QueryError),
    /// An answer.
    Answer(Answer<'a>),
    /// An error.
    Error {
        /// The error code, 201 to 204 (BEP 5).
        code: i64,
        /// The error text, safe for display.
        text: String,
    },
}

/// Why a datagram is not a valid message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KrpcError {
    /// Not bencode, or outside the limits.
    #[error("no bencode: {0}")]
    Bencode(#[from] BencodeError),
    /// Not a dictionary, or a required entry is missing.
    #[error("a DHT message has no usable `{0}`")]
    Missing(&'static str),
    /// The transaction id is too long.
    #[error("a transaction id has {received} bytes, at most {limit} are taken")]
    Transaction {
        /// Its length in bytes.
        received: usize,
        /// The maximum length in bytes.
        limit: usize,
    },
}

impl<'a> Message<'a> {
    /// Parses a datagram.
    ///
    /// # Errors
    /// The datagram is not a message. A query with invalid arguments is not an error, but a
    /// [`Body::BadQuery`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, KrpcError> {
        let dict = scan(bytes, LIMITS)?
            .as_dict()
            .ok_or(KrpcError::Missing("dictionary"))?;
        let transaction = dict.bytes("t").ok_or(KrpcError::Missing("t"))?;
        if transaction.len() > MAX_TRANSACTION {
            return Err(KrpcError::Transaction {
                received: transaction.len(),
                limit: MAX_TRANSACTION,
            });
        }
        let body = match dict.bytes("y") {
            Some(b"q") => Query::read(dict).map_or_else(Body::BadQuery, Body::Query),
            Some(b"r") => Body::Answer(Answer::read(dict).ok_or(KrpcError::Missing("r"))?),
            Some(b"e") => read_error(dict),
            _ => return Err(KrpcError::Missing("y")),
        };
        let ip = dict.bytes("ip").and_then(net::compact::read);
        Ok(Self {
            transaction,
            read_only: dict.num::<u8>("ro") == Some(1),
            ip,
            body,
        })
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut dict = Encoder::new();
        dict.bytes("t", self.transaction).bytes("v", VERSION);
        if self.read_only {
            dict.int("ro", 1);
        }
        if let Some(ip) = self.ip {
            let mut bytes = Vec::with_capacity(net::compact::LEN_V6);
            net::compact::write(&mut bytes, ip);
            dict.bytes("ip", bytes);
        }
        match &self.body {
            Body::Query(query) => query.put(&mut dict),
            Body::Answer(answer) => answer.put(&mut dict),
            Body::BadQuery(error) => put_error(&mut dict, error.code(), &error.to_string()),
            Body::Error { code, text } => put_error(&mut dict, *code, text),
        }
        dict.finish()
    }
}

fn read_error(dict: Dict<'_>) -> Body<'static> {
    let mut list = dict.list("e").into_iter().flatten();
    let code = list
        .next()
        .and_then(|code| code.as_int())
        .unwrap_or_default();
    let text = list
        .next()
        .and_then(|text| text.as_bytes())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_TEXT)]);
    Body::Error {
        code,
        text: visible(&text).into_owned(),
    }
}

fn put_error(dict: &mut Encoder, code: i64, text: &str) {
    dict.bytes("y", "e")
        .list("e", [Encoded::int(code), Encoded::bytes(text)]);
}
