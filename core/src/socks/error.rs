//! Why a proxy did not connect.

/// What is wrong with a proxy's answer, or why it refuses. `Display` completes a sentence that
/// begins with the proxy: "the proxy 192.0.2.1:1080 …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocksError {
    /// The answer begins like one of HTTP.
    #[error("speaks HTTP; a SOCKS5 proxy is needed, usually at another port")]
    Http,
    /// The first byte of an answer is not 5.
    #[error("does not speak SOCKS5: its answer begins with {0} instead of 5")]
    Version(u8),
    /// It accepts no connection without a login, and there are no credentials.
    #[error("requires a login: give a user name and a password")]
    LoginRequired,
    /// It accepts none of the offered ways to log in, which include user name and password.
    #[error("accepts neither user name and password nor a connection without them")]
    NoMethod,
    /// It chose a way to log in that was not offered.
    #[error("chose the login method {0}, which was not offered to it")]
    Method(u8),
    /// The answer to the login has another version than 1.
    #[error("answered the login with version {0} instead of 1")]
    LoginVersion(u8),
    /// It refused the user name and password.
    #[error("refuses the login: check the user name and the password")]
    LoginRefused,
    /// The address in its answer is of an unknown kind.
    #[error("sent an address of the unknown kind {0}")]
    AddressType(u8),
    /// It did not connect to the destination.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a proxy did not connect to a destination: the reply codes of RFC 1928.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 1
    #[error("could not connect, and does not say why (general failure)")]
    General,
    /// 2
    #[error("does not allow this connection by its rules")]
    NotAllowed,
    /// 3
    #[error("has no route to the network")]
    NetworkUnreachable,
    /// 4
    #[error("cannot reach the host")]
    HostUnreachable,
    /// 5
    #[error("was refused the connection by the host")]
    ConnectionRefused,
    /// 6
    #[error("got no answer from the host in time (TTL expired)")]
    TtlExpired,
    /// 7
    #[error("does not support connecting for its clients")]
    CommandNotSupported,
    /// 8
    #[error("does not support this kind of address")]
    AddressTypeNotSupported,
    /// Any other code.
    #[error("refused with the unassigned code {0}")]
    Unassigned(u8),
}

impl Refusal {
    /// The refusal with this code; `None`: 0, which means success.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => return None,
            1 => Self::General,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Unassigned(other),
        })
    }
}
