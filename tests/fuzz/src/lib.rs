//! What the fuzzing programs share: the bodies, which the ordinary test run uses, too.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a body fails by panicking"
)]

#[path = "../../src/fuzz/mod.rs"]
pub mod bodies;
