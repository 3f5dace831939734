//! Why there is no connection through a proxy.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::socks::{Refusal, SocksError};

/// How long a proxy may take to reach the destination once it has accepted us.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no connection through the proxy. The text names the proxy and never contains the
/// password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Its name has no address, or it refused the connection.
    #[error("the proxy {proxy} cannot be reached: {message}")]
    Unreachable {
        /// Host and port.
        proxy: String,
        /// The resolver's or the system's message.
        message: String,
    },
    /// It did not accept us in time.
    #[error("the proxy {proxy} does not answer")]
    Silent {
        /// Host and port.
        proxy: String,
    },
    /// It closed the connection before it had accepted us.
    #[error("the proxy {proxy} closed the connection instead of answering")]
    Closed {
        /// Host and port.
        proxy: String,
    },
    /// It refuses, or does not follow the protocol.
    #[error("the proxy {proxy} {error}")]
    Socks {
        /// Host and port.
        proxy: String,
        /// What it answered.
        error: SocksError,
    },
    /// It accepted us and then closed the connection.
    #[error("the proxy {proxy} closed the connection before it had reached {to}")]
    ClosedMidway {
        /// Host and port.
        proxy: String,
        /// Host and port.
        to: String,
    },
    /// It does not relay datagrams.
    #[error(
        "the proxy {proxy} relays no datagrams, so that trackers over UDP are not asked: {}",
        association_words(*refusal)
    )]
    NoRelay {
        /// Host and port.
        proxy: String,
        /// How it refused.
        refusal: Refusal,
    },
    /// It names a relay to which nothing is sent.
    #[error("the proxy {proxy} names a relay for datagrams that is not used: {}", relay_words(*relay))]
    Relay {
        /// Host and port.
        proxy: String,
        /// The address; `None`: a name.
        relay: Option<SocketAddr>,
    },
    /// It ended an association, or its relay is closed.
    #[error("the proxy {proxy} stopped relaying datagrams")]
    RelayLost {
        /// Host and port.
        proxy: String,
    },
    /// It accepted us and did not reach the destination in time.
    #[error("the proxy {proxy} did not reach {to} within {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut {
        /// Host and port.
        proxy: String,
        /// Host and port.
        to: String,
    },
}

impl ProxyError {
    /// Whether the proxy is at fault, so that no other destination can be reached either.
    pub(super) const fn is_of_proxy(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Closed { .. } => true,
            Self::Socks { error, .. } => match error {
                SocksError::Refused(refusal) => matches!(refusal, Refusal::CommandNotSupported),
                _ => true,
            },
            Self::ClosedMidway { .. }
            | Self::TimedOut { .. }
            | Self::NoRelay { .. }
            | Self::Relay { .. }
            | Self::RelayLost { .. } => false,
        }
    }
}

/// What a refusal of an association means.
fn association_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::CommandNotSupported => "it lacks UDP ASSOCIATE".to_owned(),
        Refusal::NotAllowed => "its rules do not allow it".to_owned(),
        Refusal::General => "it does not say why (general failure)".to_owned(),
        other => format!("it {other}"),
    }
}

fn relay_words(relay: Option<SocketAddr>) -> String {
    match relay {
        Some(relay) if relay.port() == 0 => "port 0".to_owned(),
        Some(relay) => format!("{relay} is inside a network that the proxy is not in"),
        None => "a name, which is not looked up".to_owned(),
    }
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        let kind = match &error {
            ProxyError::Socks {
                error: SocksError::Refused(Refusal::ConnectionRefused),
                ..
            } => io::ErrorKind::ConnectionRefused,
            ProxyError::Socks {
                error: SocksError::Refused(Refusal::TtlExpired),
                ..
            }
            | ProxyError::TimedOut { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
