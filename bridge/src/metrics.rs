//! Counters for Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that many tasks change.
#[derive(Debug, Default)]
pub(crate) struct Number(AtomicU64);

impl Number {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: usize) {
        self.0.store(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one until the guard is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.add(1);
        Held(self)
    }

    fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }
}

/// One of a [`Number`].
pub(crate) struct Held<'a>(&'a Number);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

/// What the bridge does, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) sessions: Number,
    pub(crate) sessions_total: Number,
    pub(crate) refused_total: Number,
    pub(crate) sockets: Number,
    pub(crate) refused_connections_total: Number,
    pub(crate) refused_handshakes_total: Number,
    pub(crate) failed_accepts_total: Number,
    pub(crate) streams_total: Number,
    pub(crate) dials_total: Number,
    pub(crate) failed_dials_total: Number,
    pub(crate) filtered_total: Number,
    pub(crate) incoming_total: Number,
    pub(crate) refused_incoming_total: Number,
    pub(crate) meetings_total: Number,
    pub(crate) tracker_requests_total: Number,
    pub(crate) tracker_swarms: Number,
    pub(crate) tracker_peers: Number,
    pub(crate) down_bytes: Number,
    pub(crate) up_bytes: Number,
}

impl Metrics {
    /// Prometheus' text format.
    pub(crate) fn print(&self) -> String {
        let rows = [
            ("sessions", "gauge", "Tabs connected now", &self.sessions),
            (
                "sessions_total",
                "counter",
                "Tabs that connected",
                &self.sessions_total,
            ),
            (
                "refused_sessions_total",
                "counter",
                "Tabs that were refused",
                &self.refused_total,
            ),
            (
                "sockets",
                "gauge",
                "Sockets of clients and peers in use",
                &self.sockets,
            ),
            (
                "refused_connections_total",
                "counter",
                "Connections beyond what one address may have",
                &self.refused_connections_total,
            ),
            (
                "refused_handshakes_total",
                "counter",
                "TLS handshakes beyond what one address may begin",
                &self.refused_handshakes_total,
            ),
            (
                "failed_accepts_total",
                "counter",
                "Times that the system had no descriptor for a connection",
                &self.failed_accepts_total,
            ),
            (
                "streams_total",
                "counter",
                "Peers handed to tabs",
                &self.streams_total,
            ),
            ("dials_total", "counter", "Peers dialled", &self.dials_total),
            (
                "failed_dials_total",
                "counter",
                "Dials that led to no stream",
                &self.failed_dials_total,
            ),
            (
                "filtered_addresses_total",
                "counter",
                "Addresses of peers that the filter refused",
                &self.filtered_total,
            ),
            (
                "incoming_total",
                "counter",
                "Peers that dialled in",
                &self.incoming_total,
            ),
            (
                "refused_incoming_total",
                "counter",
                "Peers that dialled in beyond what one address may have",
                &self.refused_incoming_total,
            ),
            (
                "meetings_total",
                "counter",
                "Pairs of tabs that met inside",
                &self.meetings_total,
            ),
            (
                "tracker_requests_total",
                "counter",
                "Announces and scrapes that the tracker answered",
                &self.tracker_requests_total,
            ),
            (
                "tracker_swarms",
                "gauge",
                "Swarms that the tracker knows",
                &self.tracker_swarms,
            ),
            (
                "tracker_peers",
                "gauge",
                "Peers that the tracker knows",
                &self.tracker_peers,
            ),
            (
                "down_bytes_total",
                "counter",
                "Bytes of messages to tabs",
                &self.down_bytes,
            ),
            (
                "up_bytes_total",
                "counter",
                "Bytes of messages from tabs",
                &self.up_bytes,
            ),
        ];
        rows.iter()
            .fold(String::new(), |mut out, (name, kind, help, number)| {
                let name = format!("aqueduct_bridge_{name}");
                let _ = write!(
                    out,
                    "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {}\n",
                    number.get()
                );
                out
            })
    }
}
