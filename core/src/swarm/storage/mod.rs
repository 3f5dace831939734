//! Complete pieces and how they become durable: checks of the data on disk, writes and flushes.

mod checking;
mod padding;
mod pieces;
mod recheck;
mod store;

pub(crate) use checking::{Checking, check_range};
pub(crate) use pieces::Pieces;
pub(crate) use store::{Store, Written};
