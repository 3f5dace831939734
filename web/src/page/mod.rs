//! The page: starts the worker, keeps what it tells in signals, draws it.

pub mod components;
pub mod leaving;
pub mod media;
mod model;
mod offer;
mod root;
mod saving;
pub mod words;

pub use model::remembered::Kept;
pub use model::{Entry, Model};
pub use offer::Offer;
pub use saving::{data, save};

use leptos::prelude::mount_to_body;

/// Draws the page. Returns at once; events do the rest.
pub fn start() {
    console_error_panic_hook::set_once();
    mount_to_body(root::Page);
}
