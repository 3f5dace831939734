//! In which swarms the tab is, and which peers the bridge is told of.

pub(crate) mod hints;
pub(crate) mod places;
