//! The page: starts the worker, keeps what the worker tells it in signals, draws them.

mod components;
mod leaving;
mod media;
mod model;
mod offer;
mod root;
mod saving;
mod words;

use leptos::prelude::mount_to_body;

/// Draws the page. Returns at once; events do the rest.
pub fn start() {
    console_error_panic_hook::set_once();
    mount_to_body(root::Page);
}
