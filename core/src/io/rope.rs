//! Payload as it travels between the engine and its driver.

use bytes::Bytes;

/// Bytes in order, in as many slices as they came in. Cloning copies no payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rope(pub Vec<Bytes>);

impl Rope {
    /// Bytes in all slices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }
    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }
}
