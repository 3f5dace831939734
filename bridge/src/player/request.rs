//! A request of a player to the session of a tab.

use std::ops::Range;

use tokio::sync::oneshot;

use crate::player::body::{Body, Held};

/// Bytes of an offered file that a player requests.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) offer: u32,
    /// Never empty.
    pub(crate) bytes: Range<u64>,
    pub(crate) held: Held,
    /// Dropped if the session cannot read the file now.
    pub(crate) answer: oneshot::Sender<Body>,
}
