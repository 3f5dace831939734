//! The page: starts the worker, keeps what it tells in signals, draws it.

mod host;
mod kept;
mod litter;
mod model;
mod offer;
mod page;
mod pulse;
mod stored;
mod submitted;

pub use kept::Kept;
pub use model::{Entry, Model};
pub use offer::Offer;
pub use stored::{data, save};

use leptos::prelude::mount_to_body;

/// Draws the page. Returns at once; events do the rest.
pub fn start() {
    console_error_panic_hook::set_once();
    mount_to_body(page::Page);
}
