//! The configuration of a socket.

use std::time::Duration;

/// Limits and sizes of a [`Socket`](super::Socket).
#[derive(Clone, Debug)]
pub struct Config {
    /// The maximum number of connections in both directions together. Default: 1,000. At the limit,
    /// dials fail and SYNs are answered with resets, so that their senders switch to TCP
    /// immediately.
    pub max_connections: usize,
    /// The size of a connection's receive buffer in bytes. Default: 1 MiB. It bounds the download
    /// rate to this many bytes per round trip.
    pub receive_buffer: usize,
    /// The same until [`Socket::confirm`](super::Socket::confirm), in bytes; not more than
    /// `receive_buffer`. Default: 1 MiB. It bounds the memory of connections whose remote side has
    /// shown nothing but that it has its address.
    pub first_receive_buffer: usize,
    /// The size of a connection's send buffer in bytes, including unacknowledged data. Default: 1
    /// MiB.
    pub send_buffer: usize,
    /// The queueing delay that a connection may add to its path. Default: 100 ms (BEP 29). A higher
    /// value wins against others' uTP and disturbs other traffic on the line.
    pub target_delay: Duration,
    /// The maximum length of a datagram over IPv4, without IP and UDP headers. Default: 1,472,
    /// which is Ethernet's 1,500 with headers.
    pub max_datagram_v4: u16,
    /// The same over IPv6. Default: 1,452.
    pub max_datagram_v6: u16,
}

impl Config {
    /// The receive buffer of a new connection in bytes.
    pub(super) fn first_window(&self) -> usize {
        self.first_receive_buffer.min(self.receive_buffer)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 1000,
            receive_buffer: 1 << 20,
            first_receive_buffer: 1 << 20,
            send_buffer: 1 << 20,
            target_delay: Duration::from_millis(100),
            max_datagram_v4: 1472,
            max_datagram_v6: 1452,
        }
    }
}
