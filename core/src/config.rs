//! Every limit of the engine: meaning, unit, default, consequence.

use std::time::Duration;

/// The engine's settings. `Config::default()` suits a terminal program; a tab lowers the buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Torrents open at a time. Default 10,000. More are refused with
    /// [`crate::CommandError::TooMany`].
    pub max_torrents: usize,
    /// Connected peers a torrent. Default 80. Incoming ones beyond are closed as `Full`.
    pub max_peers: usize,
    /// Connected peers over all torrents. Default 500.
    pub max_peers_total: usize,
    /// Dials under way at a time, all torrents. Default 40. 0: the engine never dials (the tab: its
    /// bridge does).
    pub max_dialling: usize,
    /// Dials started a second, all torrents. Default 30. Protects home routers.
    pub dials_per_second: u32,
    /// Addresses remembered a torrent. Default 1,000. The worst are forgotten.
    pub max_candidates: usize,
    /// Requests we advertise to serve at a time a peer (`reqq`, BEP 10), and the most we hold.
    /// Default 500. More are rejected.
    pub max_requests_in: usize,
    /// Requests in flight to one peer at most. Default 500; the peer's own `reqq` lowers it.
    pub max_requests_out: usize,
    /// Bytes received and not yet written, all torrents: pieces under way, being hashed, being
    /// written. Default 64 MiB. At the bound nothing new is requested.
    pub max_unwritten: u64,
    /// Wire bytes queued in the driver a connection before no more is read from disk for it.
    /// Default 1 MiB. A peer that goes on asking and lets twice as much pile up is parted with.
    pub max_unsent: u64,
    /// Bytes written and not yet flushed before a flush is asked for. Default 64 MiB: what a crash
    /// may cost.
    pub max_unflushed: u64,
    /// Time between a first unflushed byte and its flush. Default 5 s: what a crash may cost.
    pub flush_interval: Duration,
    /// Peers unchoked by merit a torrent, besides one optimistic (BEP 3). Default 8.
    pub unchoke_slots: usize,
    /// A block that stalls so long is asked elsewhere. Default 20 s.
    pub block_timeout: Duration,
    /// Silence after which a connection is closed. Default 2 min (BEP 3).
    pub silence_timeout: Duration,
    /// Pieces being checked at a time. Default 4. Keeps both disk and digest busy.
    pub checks_in_flight: usize,
    /// One connection per address (/64 for IPv6) and torrent outside private and loopback networks.
    /// Default true.
    pub one_per_address: bool,
    /// Our listening port, told to peers in the extended handshake; 0: none.
    pub listen_port: u16,
    /// UDP port of our DHT node, told to peers that have one, too (BEP 5). Default `None`: there is
    /// no node, and peers are not told that there is.
    pub dht_port: Option<u16>,
    /// Whether peers tell each other of peers (BEP 11). Default true. Private torrents never do.
    pub pex: bool,
    /// Name and version told to peers (`v` of BEP 10).
    pub client: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_torrents: 10_000,
            max_peers: 80,
            max_peers_total: 500,
            max_dialling: 40,
            dials_per_second: 30,
            max_candidates: 1000,
            max_requests_in: 500,
            max_requests_out: 500,
            max_unwritten: 64 << 20,
            max_unsent: 1 << 20,
            max_unflushed: 64 << 20,
            flush_interval: Duration::from_secs(5),
            unchoke_slots: 8,
            block_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(120),
            checks_in_flight: 4,
            one_per_address: true,
            listen_port: 0,
            dht_port: None,
            pex: true,
            client: concat!("Aqueduct/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
