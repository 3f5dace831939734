//! The representation of payload between the engine and its driver.

use bytes::Bytes;

/// Bytes as a sequence of slices, as they were received. Cloning does not copy the payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rope(pub Vec<Bytes>);

impl Rope {
    /// The total length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }
    /// Whether the total length is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }
}
