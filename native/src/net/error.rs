//! Why something could not be fetched.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::discovery::TrackerError;
use aqueduct_core::discovery::url::UrlError;

use super::permit::Denied;
use super::policy::Refusal;
use super::proxy_error::ProxyError;

/// The system's message for a failed connection, or a simpler one.
#[must_use]
pub fn connect_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}

/// Why something could not be fetched; names the host at fault, if one is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The URL, or the one that it redirects to, is invalid.
    #[error("the address cannot be used: {0}")]
    Url(#[from] UrlError),
    /// The name has no address, or its servers gave none.
    #[error("the name {host} cannot be resolved: {message}")]
    Lookup {
        /// What was looked up.
        host: String,
        /// The system's message.
        message: String,
    },
    /// A proxy is used, which tells nobody the address of a name.
    #[error("with a proxy no name is looked up, and this one is needed as an address")]
    NotProxied,
    /// The proxy did not connect.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The policy does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection was refused or not answered.
    #[error("{addr} cannot be reached: {message}")]
    Connect {
        /// The address that was dialled.
        addr: SocketAddr,
        /// The system's message.
        message: String,
    },
    /// The connection has another remote address than the one that was dialled.
    #[error("connected to {actual} instead of {expected}")]
    Elsewhere {
        /// The address that was dialled.
        expected: SocketAddr,
        /// The connection's remote address, according to the system.
        actual: SocketAddr,
    },
    /// TLS failed: certificate, version, or the connection broke.
    #[error("no secure connection to {host}: {message}")]
    Tls {
        /// The host whose certificate was expected.
        host: String,
        /// The TLS library's message.
        message: String,
    },
    /// The connection ended before the whole answer had arrived.
    #[error("the server closed the connection before it had answered")]
    Closed,
    /// The server's answer is not valid HTTP.
    #[error("the server's answer is not valid HTTP: {0}")]
    Http(String),
    /// The status is neither 200 nor a redirect.
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    /// There were more redirects than are followed.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// A redirect leads to an address that nothing can be fetched from.
    #[error("it redirects to {to}: {error}")]
    Redirected {
        /// The redirect's address: foreign text, escaped.
        to: String,
        /// Why it cannot be fetched.
        error: Box<Self>,
    },
    /// The server redirects to a magnet link.
    #[error("the server redirects to a magnet link instead")]
    Magnet(String),
    /// The body, as received or unpacked, is longer than allowed.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The longest that is allowed, bytes.
        limit: u64,
    },
    /// Not sent, because too many requests go there; how long to wait.
    #[error("too many requests go there at a time; it may be tried again in {} s", .0.as_secs())]
    Busy(Duration),
    /// Not sent, because the host could not be reached several times; how long to wait.
    #[error("it could not be reached several times and is not tried again for {} s", .0.as_secs())]
    Resting(Duration),
    /// The deadline passed.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl From<Denied> for NetError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Busy(wait) => Self::Busy(wait),
            Denied::Resting(left) => Self::Resting(left),
        }
    }
}

impl From<hyper::Error> for NetError {
    fn from(error: hyper::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let source = error.source();
        let kind = source
            .and_then(|source| source.downcast_ref::<io::Error>())
            .map(io::Error::kind);
        let is_lost = matches!(
            kind,
            Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        );
        // Canceled: the connection was closed before the request was sent.
        if is_lost || error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Self::Closed;
        }
        let cause = source.map(|source| format!(": {source}"));
        Self::Http(format!("{error}{}", cause.unwrap_or_default()))
    }
}

impl From<NetError> for TrackerError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Url(error) => Self::Url(error),
            NetError::Refused(refusal) => Self::Refused(refusal.to_string()),
            NetError::NotProxied => Self::Refused(error.to_string()),
            NetError::Http(message) => Self::Http(message),
            NetError::Closed => {
                Self::Unreachable("it closed the connection before it had answered".to_owned())
            }
            NetError::Redirects(_) | NetError::Magnet(_) => Self::Http(error.to_string()),
            NetError::Redirected {
                ref to,
                error: ref inner,
            } => match &**inner {
                // The tracker answers; its redirect is what cannot be used.
                NetError::Refused(_) => Self::Refused(error.to_string()),
                NetError::Url(_) => Self::Http(error.to_string()),
                inner => Self::Unreachable(format!("it redirects to {to}: {inner}")),
            },
            NetError::Status(status) => Self::HttpStatus(status),
            NetError::TooLong { limit } => Self::TooLong { limit },
            NetError::Timeout(limit) => Self::Timeout(limit),
            NetError::Busy(wait) => Self::Busy(wait),
            NetError::Connect { addr, message } => Self::Unreachable(format!("{addr}: {message}")),
            NetError::Lookup { .. }
            | NetError::Proxy(_)
            | NetError::Elsewhere { .. }
            | NetError::Tls { .. }
            | NetError::Resting(_) => Self::Unreachable(error.to_string()),
        }
    }
}
