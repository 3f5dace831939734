//! Aqueduct in a browser tab: two wasm programs, page and worker, that speak in [`message`]s.
//!
//! The page ([`page`]) draws and asks; it never sees a piece of data. The worker
//! ([`engine`]) drives the engine of `aqueduct-core`: its peers are streams of one WebSocket to the
//! bridge, its disk is the origin private file system.

mod browser;
pub mod engine;
pub mod format;
pub mod link;
pub mod message;
pub mod page;
pub mod storage;
