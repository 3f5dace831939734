//! Intervals, deadlines and ports. Tests use others.

use std::time::Duration;

/// Intervals and deadlines of port mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The deadline for finding out whether the gateway speaks a protocol. Default: 6 s.
    pub probe: Duration,
    /// The deadline of a request for a mapping, and of its removal. Default: 4 s.
    pub request: Duration,
    /// The lifetime that is requested. Default: 20 min, after which a mapping that could not be
    /// removed lapses.
    pub lifetime: Duration,
    /// The shortest time between two renewals, whatever lifetime the gateway grants. Default: 30 s.
    pub min_renewal: Duration,
    /// The delay after a gateway announced its restart, so that it is not asked by all of its
    /// clients at once, nor more often than this. Default: 3 s.
    pub pause: Duration,
    /// The delay before a gateway that mapped nothing is asked again; it doubles each time.
    /// Default: 30 s.
    pub retry: Duration,
    /// The longest such delay. Default: 10 min.
    pub max_retry: Duration,
    /// How often the default route is read, to notice another gateway. Default: 10 s.
    pub watch: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe: Duration::from_secs(6),
            request: Duration::from_secs(4),
            lifetime: Duration::from_secs(20 * 60),
            min_renewal: Duration::from_secs(30),
            pause: Duration::from_secs(3),
            retry: Duration::from_secs(30),
            max_retry: Duration::from_secs(10 * 60),
            watch: Duration::from_secs(10),
        }
    }
}

/// The ports of the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// UDP port of PCP and NAT-PMP at the gateway. Default: 5351.
    pub control: u16,
    /// UDP port at which clients hear that the gateway restarted (RFC 6886, 3.2.1; RFC 6887, 14.1).
    /// Default: 5350.
    pub announcements: u16,
    /// UDP port of UPnP's search. Default: 1900.
    pub search: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            control: 5351,
            announcements: 5350,
            search: 1900,
        }
    }
}
