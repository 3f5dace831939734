//! Errors of a configuration.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// A token file without a token.
    #[error(
        "{0} holds no token; put one on a line, or leave token-file out to let every client in"
    )]
    NoTokens(PathBuf),
    /// The file is not TOML, or has unknown keys.
    #[error("{path}: {error}\n`aqueduct-bridge --print-config` shows every key")]
    Syntax {
        /// Its path.
        path: PathBuf,
        /// Line, column and description.
        error: Box<toml::de::Error>,
    },
    /// An origin that browsers never send.
    #[error(
        "`{0}` is no origin; write scheme, host and port alone, like https://aqueduct.example:8443"
    )]
    Origin(String),
    /// An origin with its scheme's default port, which browsers omit, so no page would ever match
    /// it.
    #[error(
        "`{given}` is not how browsers write this origin: they leave out the port that the scheme means; write {written}"
    )]
    DefaultPort {
        /// As it was given.
        given: String,
        /// As browsers send it.
        written: String,
    },
    /// An address at which peers cannot reach the bridge, and the reason.
    #[error(
        "public-address {0} cannot be given to peers: {1}; name the address that is seen from outside, or open its range with allow if all peers are inside"
    )]
    PublicAddress(IpAddr, Cow<'static, str>),
    /// A certificate without a key, or a key without a certificate.
    #[error("tls-cert and tls-key must be given together")]
    HalfTls,
    /// A number that the bridge cannot use.
    #[error("{key} is {received}; it must be from {least} to {most}")]
    Bounds {
        /// The key.
        key: &'static str,
        /// The configured value, as it is written in the file.
        received: String,
        /// Lower bound.
        least: String,
        /// Upper bound.
        most: String,
    },
}
