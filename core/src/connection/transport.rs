//! The transports of connections.

/// The transport of a connection. The engine only knows the kind; everything else is up to the
/// driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP (BEP 3).
    Tcp,
    /// uTP (BEP 29).
    Utp,
    /// A stream of the tunnel between a tab and its bridge.
    Tunnel,
    /// A WebRTC data channel between two tabs.
    WebRtc,
    /// An in-memory pipe between two ends in one process.
    Pipe,
}
