//! The page: starts the worker, keeps what it tells in signals, draws it.

mod download;
mod host;
mod model;
mod page;

pub use download::save;
pub use model::{Entry, Model};

use leptos::prelude::mount_to_body;

/// Draws the page. Returns at once; events do the rest.
pub fn start() {
    console_error_panic_hook::set_once();
    mount_to_body(page::Page);
}
