//! Why a uTP connection ends.

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The other side answered SYN with a reset: it does not support uTP, or accepts no more
    /// connections.
    #[error("the peer refuses uTP connections")]
    Refused,
    /// The other side reset the connection.
    #[error("the peer reset the uTP connection")]
    Reset,
    /// The other side does not answer.
    #[error("the peer does not answer over uTP")]
    TimedOut,
    /// There is no route to the address.
    #[error("the peer's address is unreachable")]
    Unreachable,
}
