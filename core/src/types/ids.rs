//! Identifiers for items of one engine. They are never reused while the engine exists.

/// Identifies a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u32);

/// Identifies a connection, from the dial or the accept to its end.
///
/// Both the engine and the driver create ids: the engine uses even numbers for dials
/// ([`ConnId::dialled`]), the driver uses odd numbers for accepted connections
/// ([`ConnId::accepted`]), so they never collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

impl ConnId {
    /// The id of the engine's `n`-th dial.
    #[must_use]
    pub const fn dialled(n: u64) -> Self {
        Self(n << 1)
    }

    /// The id of the driver's `n`-th accepted connection (in a tab: the `n`-th stream from the
    /// bridge).
    #[must_use]
    pub const fn accepted(n: u64) -> Self {
        Self(n << 1 | 1)
    }

    /// Whether the connection was accepted by the driver.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 & 1 == 1
    }

    /// The number, for logs.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Identifies a request of the engine to its driver. Each is answered exactly once, by
/// [`crate::Input::Done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
