//! Aqueduct in a browser tab: one wasm program that runs three times, as the page and as its two
//! workers, which exchange [`message`]s.
//!
//! The [`page`] is the user interface; piece data never pass through it. The first worker runs the
//! [`engine`]: its peers are streams of one WebSocket to the bridge. It starts the second one, the
//! `storage` worker, which digests pieces and keeps them in the origin private file system.
//!
//! The browser loads and compiles the program once: what starts a worker sends it the compiled
//! program (`browser/module_worker.rs`).

mod browser;
mod codec;
mod draft;
pub mod engine;
mod format;
mod link;
mod media;
pub mod message;
pub mod page;
mod storage;
pub mod texts;

use browser::global::{Role, role};

/// Starts the program, as what the browser runs it as.
pub fn start() {
    match role() {
        Role::Page => page::start(),
        Role::Worker(name) => match storage::worker::language_in(&name) {
            Some(language) => storage::worker::start(language),
            None => engine::start(),
        },
    }
}
