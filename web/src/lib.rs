//! Aqueduct in a browser tab: two wasm programs, page and worker, that exchange [`message`]s.
//!
//! The [`page`] is the user interface; piece data never pass through it. The worker runs the
//! [`engine`]: its peers are streams of one WebSocket to the bridge, its disk ([`storage`]) is the
//! origin private file system.

mod browser;
pub mod engine;
mod format;
mod link;
mod media;
pub mod message;
pub mod page;
mod storage;
