//! The network client against scripted servers on loopback: accepted and rejected responses, and
//! addresses that it never dials.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test that cannot go on fails the test"
)]

mod discovery;
mod hostile_gateway;
mod http;
mod leaving;
mod lookups;
mod pinholes;
mod port_mapping;

use aqueduct_testkit::http::{Reply, ok};

/// The response of a tracker that returns one peer, 1.2.3.4:6881.
fn one_peer() -> Reply {
    ok(b"d8:intervali1800e12:min intervali1e5:peers6:\x01\x02\x03\x04\x1a\xe1e")
}
