//! The parts of the page, one file per part.
#![allow(
    unreachable_pub,
    reason = "the component macro wraps each function in a module of its own, where the lint cannot see it used"
)]

mod about;
mod add_form;
mod compile_early;
mod copy_field;
mod dialog;
mod explain;
mod fields;
mod focus;
mod gradual;
mod header;
mod keep_going;
mod list;
mod lost;
mod notices;
mod offer;
mod opened;
mod other_player;
mod player;
mod plot;
mod save_all;
mod save_button;
mod settings;
mod storage_use;
mod token;

pub use about::{About, Empty};
pub use add_form::{AddForm, take_torrents};
pub use compile_early::CompileEarly;
pub use header::Header;
pub use list::TorrentList;
pub use lost::Lost;
pub use notices::{Notices, Toast};
pub use offer::OfferCard;
pub use opened::Opened;
pub use player::{Player, PlayerDialog};
pub use save_all::Savings;
pub use token::TokenForm;
