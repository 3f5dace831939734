//! The page: starts the worker, stores the worker's state in signals, and draws them.

mod arrange;
mod clipboard;
mod components;
mod icon;
mod input;
mod leaving;
mod list_view;
mod local_storage;
mod model;
mod offer;
mod piece_map;
mod preferences;
mod rates;
mod root;
mod saving;
mod streaming;
mod subtitles;
mod words;

use leptos::prelude::{mount_to_body, window};

/// Draws the page. Returns immediately; everything else happens in callbacks.
pub fn start() {
    console_error_panic_hook::set_once();
    mount_to_body(root::Page);
}

/// The address of this page without a link.
fn page_address() -> String {
    let location = window().location();
    location.origin().unwrap_or_default() + &location.pathname().unwrap_or_default()
}
