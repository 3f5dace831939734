//! The terminal program as seen by users and scripts: arguments, files, output lines and exit
//! codes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "in a test a failure is a panic"
)]

mod bind;
mod blocklist;
mod commands;
mod create;
mod disk;
mod display;
mod encryption;
mod environment;
mod external_changes;
mod failure_reports;
mod interruptions;
mod links;
mod names;
mod padding;
mod port_mapping;
mod ports;
mod proxy;
mod relay;
mod silent_peers;
mod sources;
mod terminal;
mod world;
