//! What may carry a connection.

/// What carries the bytes of a connection. The engine knows the kind alone; everything else about a
/// transport is its driver's.
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
    /// Memory, between two ends in one process.
    Pipe,
}
