//! Why something could not be fetched.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::discovery::TrackerError;
use aqueduct_core::discovery::url::UrlError;

use super::permit::Denied;
use super::policy::Refusal;

/// The system's words for a failed connection, or plainer ones.
#[must_use]
pub fn connect_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        io::ErrorKind::TimedOut => "nobody answers".to_owned(),
        _ => error.to_string(),
    }
}

/// Why something could not be fetched; names the host at fault where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The address, or the one we were redirected to.
    #[error("the address cannot be used: {0}")]
    Url(#[from] UrlError),
    /// The name has no address.
    #[error("the name {host} cannot be resolved: {message}")]
    Lookup {
        /// What was looked up.
        host: String,
        /// The system's words.
        message: String,
    },
    /// The policy forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody answers there.
    #[error("{addr} cannot be reached: {message}")]
    Connect {
        /// Where.
        addr: SocketAddr,
        /// The system's words.
        message: String,
    },
    /// The connection leads elsewhere than where it was opened to.
    #[error("connected to {actual} instead of {expected}")]
    Elsewhere {
        /// Asked for.
        expected: SocketAddr,
        /// What the system says.
        actual: SocketAddr,
    },
    /// TLS failed: certificate, version, or the connection broke.
    #[error("no secure connection to {host}: {message}")]
    Tls {
        /// Whose certificate was expected.
        host: String,
        /// What is wrong.
        message: String,
    },
    /// The server broke HTTP.
    #[error("the server broke HTTP: {0}")]
    Http(String),
    /// Neither 200 nor a redirect.
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    /// A chain of redirects.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// A redirect leads to where nothing can be fetched from.
    #[error("it redirects to {to}: {error}")]
    Redirected {
        /// Where to: foreign text, escaped.
        to: String,
        /// What is wrong there.
        error: Box<Self>,
    },
    /// The server redirects to a magnet link.
    #[error("the server redirects to a magnet link instead")]
    Magnet(String),
    /// Received or unpacked more than allowed.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: u64,
    },
    /// Not asked, because too many requests go there.
    #[error("too many requests go there at a time; it may be tried again in {} s", .0.as_secs())]
    Busy(Duration),
    /// Not asked, because it could not be reached several times.
    #[error("it could not be reached several times and is left alone for {} s", .0.as_secs())]
    Resting(Duration),
    /// Not done in time.
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

impl From<NetError> for TrackerError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Url(error) => Self::Url(error),
            NetError::Refused(refusal) => Self::Refused(refusal.to_string()),
            NetError::Http(message) => Self::Http(message),
            NetError::Redirects(_) | NetError::Magnet(_) => Self::Http(error.to_string()),
            NetError::Redirected {
                ref to,
                error: ref inner,
            } => match &**inner {
                // It answers; only where it sends us is of no use.
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
            | NetError::Elsewhere { .. }
            | NetError::Tls { .. }
            | NetError::Resting(_) => Self::Unreachable(error.to_string()),
        }
    }
}
