//! Shared by the fuzz programs. The fuzz bodies are in `aqueduct-tests`, because the ordinary test
//! run uses them too.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a body fails by panicking"
)]

#[path = "../../src/fuzz/mod.rs"]
pub mod bodies;
