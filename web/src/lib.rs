//! Aqueduct in a browser tab: two wasm programs, page and worker, that exchange [`message`]s.
//!
//! The [`page`] is the user interface; piece data never pass through it. The worker's program runs
//! twice. The first worker runs the [`engine`]: its peers are streams of one WebSocket to the
//! bridge. It starts the second one, the `storage` worker, which digests pieces and keeps them in
//! the origin private file system.

mod browser;
pub mod engine;
mod format;
mod link;
mod media;
pub mod message;
pub mod page;
mod storage;
pub mod texts;

/// Starts the worker's program: as the storage worker if the worker has such a name, else as the
/// engine's.
pub fn start_worker() {
    match storage::worker::language_in(&browser::global::scope().name()) {
        Some(language) => storage::worker::start(language),
        None => engine::start(),
    }
}
