//! `HOST:PORT` of a DHT node, as operators write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::option::text_options;

/// A node that is asked first. The host is a name, an IPv4 address, or an IPv6 address in
/// brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// The text is not a valid [`Node`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no HOST:PORT; write a name or an address and a port, like dht.example:6881 or [2001:db8::1]:6881"
)]
pub struct NodeError(String);

impl FromStr for Node {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        let error = || NodeError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(error)?;
        let host = bare.unwrap_or(host);
        let right = !host.is_empty()
            && !host.contains(['/', ' ', '[', ']', '@'])
            && host.contains(':') == bare.is_some();
        if right {
            Ok(Self {
                host: host.to_owned(),
                port,
            })
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

text_options!(Node);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_a_port_are_nodes_and_nothing_else_is() {
        for good in ["dht.example:6881", "192.0.2.1:1", "[2001:db8::1]:6881"] {
            assert_eq!(good.parse::<Node>().unwrap().to_string(), good);
        }
        for bad in [
            "dht.example",
            ":6881",
            "dht.example:0",
            "dht.example:65536",
            "2001:db8::1:6881",
            "[dht.example]:1",
            "udp://dht.example:1",
            "",
        ] {
            assert!(bad.parse::<Node>().is_err(), "{bad}");
        }
    }
}
