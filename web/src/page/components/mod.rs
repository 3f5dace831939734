//! The parts of the page, one file per part.
#![allow(
    unreachable_pub,
    reason = "the component macro wraps each function in a module of its own, where the lint cannot see it used"
)]

mod about;
mod add_form;
mod explain;
mod files;
mod header;
mod lost;
mod notices;
mod offer;
mod player;
mod preview;
mod save_all;
mod token;
mod torrent;
mod undo;

pub use about::{About, Empty};
pub use add_form::{AddForm, take_torrents};
pub use header::Header;
pub use lost::Lost;
pub use notices::{Notices, Toast};
pub use offer::OfferCard;
pub use player::{Player, PlayerDialog};
pub use token::TokenForm;
pub use torrent::TorrentList;
