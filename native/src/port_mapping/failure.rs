//! Why a gateway did not map a port.

use std::io;
use std::net::IpAddr;

use aqueduct_core::types::visible;

/// The maximum number of characters of a gateway's own words that are shown.
const MAX_WORDS: usize = 120;

/// Why a gateway did not map a port, by one protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It did not answer in time.
    #[error("no answer")]
    Silent,
    /// Nothing listens there: the protocol is not implemented, or switched off.
    #[error("not in use there")]
    Closed,
    /// It speaks the protocol and refused the request.
    #[error("refused: {0}")]
    Refused(String),
    /// It filters nothing with IPv6, so that it opens no pinholes.
    #[error("its firewall for IPv6 is switched off, so that pinholes are not needed")]
    NoFirewall,
    /// The external port is in use by another device.
    #[error("port {0} is in use by another device")]
    Conflict(u16),
    /// It claims an external address that no gateway can have.
    #[error("the external address {0} is impossible")]
    Address(IpAddr),
    /// It is not connected to the internet yet.
    #[error("the gateway has no address on the internet at the moment")]
    Offline,
    /// The answer breaks the protocol's rules.
    #[error("invalid answer: {0}")]
    Invalid(String),
    /// It names a service at another address than its own, which is never contacted.
    #[error("it names a service at {0}, which is not the gateway's address")]
    Elsewhere(String),
    /// The answer is longer than is read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The system could not send.
    #[error("{0}")]
    System(String),
}

impl Failure {
    /// Whether the gateway does not speak the protocol, as far as can be told.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::Silent | Self::Closed)
    }

    /// A refusal with a code of the protocol and the gateway's own words, which are escaped and
    /// cut.
    pub(super) fn refused(words: &str) -> Self {
        Self::Refused(shown(words))
    }

    /// An answer that breaks the rules.
    pub(super) fn invalid(words: &str) -> Self {
        Self::Invalid(shown(words))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Closed,
            io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::System(error.to_string()),
        }
    }
}

/// Foreign text, escaped, on one line and of bounded length.
pub(super) fn shown(text: &str) -> String {
    let mut start: String = text.trim().chars().take(MAX_WORDS).collect();
    if text.trim().chars().nth(MAX_WORDS).is_some() {
        start.push('…');
    }
    visible(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_own_words_are_cut_and_escaped() {
        let long = format!("\u{1b}[31m{}", "x".repeat(10_000));
        let Failure::Refused(words) = Failure::refused(&long) else {
            panic!("a refusal was made")
        };
        assert!(!words.contains('\u{1b}'), "{words}");
        assert!(words.ends_with('…') && words.chars().count() < 2 * MAX_WORDS);
    }
}
