//! Aqueduct in a browser tab: two wasm programs, page and worker, that speak in [`message`]s.
//!
//! The page ([`app`], [`components`]) draws and asks; it never sees a piece of data. The worker
//! ([`worker`]) drives the engine of `aqueduct-core`: its peers are streams of one WebSocket to the
//! bridge, its disk is the origin private file system.

pub mod app;
pub mod components;
pub mod format;
pub mod leaving;
pub mod link;
pub mod media;
pub mod message;
pub mod words;
pub mod worker;
