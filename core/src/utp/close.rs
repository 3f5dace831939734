//! Why a uTP connection ends.

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The other side answered SYN with a reset: it speaks no uTP, or takes no more connections.
    #[error("the peer refuses uTP connections")]
    Refused,
    /// The other side reset the connection.
    #[error("the peer reset the uTP connection")]
    Reset,
    /// The other side does not answer.
    #[error("the peer does not answer over uTP")]
    TimedOut,
    /// The system has no way to the address.
    #[error("the peer's address is unreachable")]
    Unreachable,
}
