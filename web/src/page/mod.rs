//! The page: starts the worker, stores the worker's state in signals, and draws them.

mod arrange;
mod awake;
mod clipboard;
mod components;
mod icon;
mod input;
mod launch;
mod leaving;
mod list_view;
mod local_storage;
mod model;
mod notification;
mod offer;
mod piece_map;
mod preferences;
mod rates;
mod root;
mod saving;
mod screen;
mod streaming;
mod subtitles;
mod text_file;
mod words;

use js_sys::Reflect;
use leptos::prelude::{document, mount_to_body, window};
use web_sys::StorageManager;

/// Draws the page. Returns immediately; everything else happens in callbacks.
pub fn start() {
    console_error_panic_hook::set_once();
    preferences::apply_language();
    mount_to_body(root::Page);
    // The head of the page, which is shown until this program runs, and the message that it does not.
    if let Some(early) = document().get_element_by_id("early") {
        early.remove();
    }
}

/// The browser's storage, which a page has only if it was loaded securely, and not in every browser.
fn storage_manager() -> Option<StorageManager> {
    let navigator = window().navigator();
    let found = Reflect::get(&navigator, &"storage".into());
    found
        .is_ok_and(|found| found.is_object())
        .then(|| navigator.storage())
}

/// Milliseconds since the page was opened.
fn clock_ms() -> f64 {
    window().performance().map_or(0.0, |clock| clock.now())
}

/// The address of this page without a link.
fn page_address() -> String {
    let location = window().location();
    location.origin().unwrap_or_default() + &location.pathname().unwrap_or_default()
}
