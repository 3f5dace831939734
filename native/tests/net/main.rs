//! The network client against scripted servers on loopback: what it takes, what it refuses, and
//! whom it never dials.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot go on fails the test"
)]

mod discovery;
mod http;
mod server;
