//! Why there is no connection through a proxy.

use std::io;
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
            Self::ClosedMidway { .. } | Self::TimedOut { .. } => false,
        }
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
