//! What a socket is configured with.

use std::time::Duration;

/// Limits and sizes of a [`Socket`](super::Socket).
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections at a time, both directions together, 1,000 by default. At the limit, dials fail
    /// and SYNs are answered with resets, so that their senders go on with TCP at once.
    pub max_connections: usize,
    /// Incoming connections whose sender has not yet proven its address, 512 by default. At the
    /// limit, a new one replaces the oldest.
    pub max_half_open: usize,
    /// Bytes that a connection holds for its reader, 1 MiB by default. It bounds the rate of
    /// downloads: this many bytes per round trip.
    pub receive_buffer: usize,
    /// Bytes that a connection holds for sending, acknowledged or not, 1 MiB by default.
    pub send_buffer: usize,
    /// The queueing delay that a connection may add to its path, 100 ms by default (BEP 29). A
    /// higher one wins against others' uTP and disturbs what shares the line.
    pub target_delay: Duration,
    /// The longest datagram that is tried over IPv4, without IP and UDP headers: 1,472 by default,
    /// Ethernet's 1,500 with headers.
    pub max_datagram_v4: u16,
    /// The same over IPv6: 1,452 by default.
    pub max_datagram_v6: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 1000,
            max_half_open: 512,
            receive_buffer: 1 << 20,
            send_buffer: 1 << 20,
            target_delay: Duration::from_millis(100),
            max_datagram_v4: 1472,
            max_datagram_v6: 1452,
        }
    }
}
