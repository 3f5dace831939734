//! The client's side of SOCKS5 (RFC 1928), with user name and password (RFC 1929).
//!
//! [`Exchange`] is a request to a proxy, for a connection to a destination or for the relaying of
//! datagrams, as a state machine without I/O. It uses a buffer of fixed size and reads no byte more
//! than the exchange has, since those that follow belong to the destination. [`encapsulate`] and
//! [`Datagram`] are what goes to the relay and comes from it.

mod datagram;
mod error;
mod exchange;
mod form;

use std::fmt;
use std::net::SocketAddr;

pub use self::datagram::{Datagram, MAX_HEADER, encapsulate};
pub use self::error::{Refusal, SocksError};
pub use self::exchange::Exchange;

/// The longest name, user name or password in bytes: each is preceded by its length in one byte.
pub const MAX_TEXT: usize = u8::MAX as usize;

/// Where a proxy connects to, or sends datagrams to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An address.
    Addr(SocketAddr),
    /// A name, which the proxy resolves, and a port.
    Name(Text, u16),
}

impl Destination {
    /// A name and a port.
    ///
    /// # Errors
    /// The name is empty or longer than [`MAX_TEXT`].
    pub fn name(name: &str, port: u16) -> Result<Self, TextError> {
        Text::new(name).map(|name| Self::Name(name, port))
    }
}

impl From<SocketAddr> for Destination {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Name(name, port) => write!(f, "{}:{port}", name.0),
        }
    }
}

/// Text of 1 to [`MAX_TEXT`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Checks the length.
    ///
    /// # Errors
    /// The text is empty or longer than [`MAX_TEXT`].
    pub fn new(text: &str) -> Result<Self, TextError> {
        match text.len() {
            1..=MAX_TEXT => Ok(Self(text.to_owned())),
            length => Err(TextError(length)),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// A text whose length does not fit into SOCKS5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has {0} bytes, and SOCKS5 permits 1 to {MAX_TEXT}")]
pub struct TextError(pub usize);

/// A user name and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Text,
    password: Text,
}

impl Credentials {
    /// The credentials that a proxy is given if it asks for them.
    #[must_use]
    pub const fn new(user: Text, password: Text) -> Self {
        Self { user, password }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

#[cfg(test)]
mod tests;
