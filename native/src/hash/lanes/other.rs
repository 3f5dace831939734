//! Processors without SHA instructions that we know of.

use super::{Block, State};

/// Does nothing.
pub(super) const fn compress_pair(_: [&mut State; 2], _: [&[Block]; 2]) -> bool {
    false
}
