//! The network client against scripted servers on loopback: what it takes, what it refuses, and whom it never dials.

mod discovery;
mod http;
mod server;
