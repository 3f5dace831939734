//! The page's parts, a file each.
#![allow(unreachable_pub, reason = "the component macro wraps each function in a module of its own, where the lint cannot see it used")]

mod add_form;
mod files;
mod header;
mod notices;
mod preview;
mod torrent;

pub use add_form::{AddForm, take_files};
pub use header::{Empty, Header};
pub use notices::Notices;
pub use torrent::TorrentList;
