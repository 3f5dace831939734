//! Counters for Prometheus, grouped by the part of the bridge that changes them.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that many tasks change.
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

    /// Adds one until the guard is dropped.
    pub(crate) fn add_while_held(&self) -> Counted<'_> {
        self.add(1);
        Counted(self)
    }
}

/// One of a [`Number`]; subtracted when dropped.
pub(crate) struct Counted<'a>(&'a Number);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everything the bridge counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) sessions: SessionMetrics,
    pub(crate) connections: ConnectionMetrics,
    pub(crate) peers: PeerMetrics,
    pub(crate) tracker: TrackerMetrics,
    pub(crate) players: PlayerMetrics,
}

/// Tabs, and the bytes between them and the bridge.
#[derive(Debug, Default)]
pub(crate) struct SessionMetrics {
    pub(crate) open: Number,
    pub(crate) total: Number,
    pub(crate) refused_total: Number,
    pub(crate) down_bytes: Number,
    pub(crate) up_bytes: Number,
}

/// Sockets, and connections to the page's port.
#[derive(Debug, Default)]
pub(crate) struct ConnectionMetrics {
    pub(crate) sockets: Number,
    pub(crate) refused_total: Number,
    pub(crate) refused_handshakes_total: Number,
    pub(crate) failed_accepts_total: Number,
}

/// Peers of the tabs' swarms.
#[derive(Debug, Default)]
pub(crate) struct PeerMetrics {
    pub(crate) streams_total: Number,
    pub(crate) encrypted_streams_total: Number,
    pub(crate) utp_streams_total: Number,
    pub(crate) dials_total: Number,
    pub(crate) failed_dials_total: Number,
    pub(crate) filtered_total: Number,
    pub(crate) incoming_total: Number,
    pub(crate) refused_incoming_total: Number,
    pub(crate) refused_key_exchanges_total: Number,
    pub(crate) tab_pairs_total: Number,
}

/// The bridge's own tracker.
#[derive(Debug, Default)]
pub(crate) struct TrackerMetrics {
    pub(crate) requests_total: Number,
    pub(crate) swarms: Number,
    pub(crate) peers: Number,
}

/// Media players that read files of tabs on the bridge's machine.
#[derive(Debug, Default)]
pub(crate) struct PlayerMetrics {
    pub(crate) addresses: Number,
    pub(crate) reads_total: Number,
    pub(crate) refused_total: Number,
}

/// Name without the common prefix, type, help text and value of one metric.
type Row<'a> = (&'static str, &'static str, &'static str, &'a Number);

impl Metrics {
    /// Prometheus' text format.
    pub(crate) fn print(&self) -> String {
        let mut out = String::new();
        let rows = self.sessions.rows().into_iter();
        let rows = rows
            .chain(self.connections.rows())
            .chain(self.peers.rows())
            .chain(self.tracker.rows())
            .chain(self.players.rows())
            .chain(self.sessions.traffic_rows());
        for (name, kind, help, number) in rows {
            let name = format!("aqueduct_bridge_{name}");
            let _ = write!(
                out,
                "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {}\n",
                number.get()
            );
        }
        out
    }
}

impl SessionMetrics {
    fn rows(&self) -> [Row<'_>; 3] {
        [
            ("sessions", "gauge", "Tabs that are connected", &self.open),
            (
                "sessions_total",
                "counter",
                "Tabs that connected",
                &self.total,
            ),
            (
                "refused_sessions_total",
                "counter",
                "Tabs that were refused",
                &self.refused_total,
            ),
        ]
    }

    fn traffic_rows(&self) -> [Row<'_>; 2] {
        [
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
        ]
    }
}

impl ConnectionMetrics {
    fn rows(&self) -> [Row<'_>; 4] {
        [
            (
                "sockets",
                "gauge",
                "Sockets in use for clients and peers",
                &self.sockets,
            ),
            (
                "refused_connections_total",
                "counter",
                "Connections beyond the limit per address",
                &self.refused_total,
            ),
            (
                "refused_handshakes_total",
                "counter",
                "TLS handshakes beyond the limit per address",
                &self.refused_handshakes_total,
            ),
            (
                "failed_accepts_total",
                "counter",
                "Times the system had no descriptor for a connection",
                &self.failed_accepts_total,
            ),
        ]
    }
}

impl PeerMetrics {
    fn rows(&self) -> [Row<'_>; 10] {
        [
            (
                "streams_total",
                "counter",
                "Peers handed to tabs",
                &self.streams_total,
            ),
            (
                "encrypted_streams_total",
                "counter",
                "Peers handed to tabs whose connection is encrypted",
                &self.encrypted_streams_total,
            ),
            (
                "utp_streams_total",
                "counter",
                "Peers handed to tabs that are connected over uTP",
                &self.utp_streams_total,
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
                "Peers that dialled in beyond the limit per address",
                &self.refused_incoming_total,
            ),
            (
                "refused_key_exchanges_total",
                "counter",
                "Encrypted handshakes beyond the limit per address or in total",
                &self.refused_key_exchanges_total,
            ),
            (
                "meetings_total",
                "counter",
                "Pairs of tabs connected inside the bridge",
                &self.tab_pairs_total,
            ),
        ]
    }
}

impl TrackerMetrics {
    fn rows(&self) -> [Row<'_>; 3] {
        [
            (
                "tracker_requests_total",
                "counter",
                "Announces and scrapes that the tracker answered",
                &self.requests_total,
            ),
            (
                "tracker_swarms",
                "gauge",
                "Swarms that the tracker knows",
                &self.swarms,
            ),
            (
                "tracker_peers",
                "gauge",
                "Peers that the tracker knows",
                &self.peers,
            ),
        ]
    }
}

impl PlayerMetrics {
    fn rows(&self) -> [Row<'_>; 3] {
        [
            (
                "player_addresses",
                "gauge",
                "Addresses at which players read files of tabs",
                &self.addresses,
            ),
            (
                "player_reads_total",
                "counter",
                "Requests of players that were answered from a tab",
                &self.reads_total,
            ),
            (
                "refused_player_reads_total",
                "counter",
                "Requests of players beyond the limit per session or in total",
                &self.refused_total,
            ),
        ]
    }
}
