//! Names for things inside one engine. Never reused while the engine lives.

/// A torrent of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u32);

/// A connection, from the dial or the accept to its end.
///
/// Both sides of the boundary make them: the engine names what it dials with even numbers
/// ([`ConnId::dialled`]), the driver names what it accepts with odd ones ([`ConnId::accepted`]), so
/// they never collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

impl ConnId {
    /// The engine's `n`-th dial.
    #[must_use]
    pub const fn dialled(n: u64) -> Self {
        Self(n << 1)
    }

    /// The driver's `n`-th accepted connection (in the tab: its `n`-th stream from the bridge).
    #[must_use]
    pub const fn accepted(n: u64) -> Self {
        Self(n << 1 | 1)
    }

    /// Whether the driver brought this connection.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 & 1 == 1
    }

    /// The plain number, for logs.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A request of the engine to its driver, answered exactly once by [`crate::Input::Done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
