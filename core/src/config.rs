//! The engine's limits, with their meaning, unit, default and consequence.

use std::sync::Arc;
use std::time::Duration;

use crate::net::Blocklist;

/// The engine's configuration. `Config::default()` suits a terminal program; a tab lowers the
/// buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The maximum number of torrents. Default: 10,000. More are refused with
    /// [`crate::CommandError::TooMany`].
    pub max_torrents: usize,
    /// The maximum number of connected peers per torrent. Default: 80. Further incoming connections
    /// are closed as `Full`.
    pub max_peers: usize,
    /// The maximum number of connected peers over all torrents. Default: 500.
    pub max_peers_total: usize,
    /// The maximum number of simultaneous dials over all torrents. Default: 40. 0: the engine never
    /// dials (in a tab, where the bridge dials).
    pub max_dialling: usize,
    /// The maximum number of dials started per second over all torrents. Default: 30. It protects
    /// home routers.
    pub dials_per_second: u32,
    /// The maximum number of candidate addresses per torrent. Default: 1,000. The worst ones are
    /// dropped.
    pub max_candidates: usize,
    /// The maximum number of pending requests per peer, which is also advertised (`reqq`, BEP 10).
    /// Default: 500. More are rejected.
    pub max_requests_in: usize,
    /// The maximum number of requests in flight to one peer. Default: 500; the peer's own `reqq`
    /// lowers it.
    pub max_requests_out: usize,
    /// The maximum number of received bytes that are not yet written, over all torrents: pieces in
    /// progress, being hashed, or being written. Default: 64 MiB. At the limit no new pieces are
    /// requested, except that a torrent without any may begin one, up to twice this limit.
    pub max_unwritten: u64,
    /// The number of wire bytes in the driver's queue per connection above which no more data are
    /// read from disk for it. Default: 1 MiB. A peer that keeps requesting while twice as much is
    /// queued is disconnected.
    pub max_unsent: u64,
    /// The number of written bytes that triggers a flush. Default: 64 MiB. A crash may lose this
    /// much.
    pub max_unflushed: u64,
    /// The maximum time between a write and its flush. Default: 5 s. A crash may lose the data of
    /// this span.
    pub flush_interval: Duration,
    /// The number of peers per torrent that are unchoked by merit, in addition to one optimistic
    /// unchoke (BEP 3). Default: 8.
    pub unchoke_slots: usize,
    /// The time after which a stalled block is requested from another peer. Default: 20 s.
    pub block_timeout: Duration,
    /// The time without any message after which a connection is closed. Default: 2 min (BEP 3).
    pub silence_timeout: Duration,
    /// The maximum number of pieces that are read and hashed at the same time. Default: 4, which
    /// keeps both disk and processor busy.
    pub checks_in_flight: usize,
    /// Whether a torrent may have only one connection per address (/64 for IPv6) outside private
    /// and loopback networks. Default: true.
    pub one_per_address: bool,
    /// The listening port that is announced in the extended handshake; 0: none.
    pub listen_port: u16,
    /// The UDP port of the DHT node, which is announced to peers that have a node too (BEP 5).
    /// Default: `None`, which means that there is no node and the capability is not announced.
    pub dht_port: Option<u16>,
    /// Whether the driver dials over uTP (BEP 29) where it is told to. Default: true. Without,
    /// holepunching (BEP 55) is not offered to peers, nor used. An engine that never dials
    /// introduces others to each other.
    pub utp: bool,
    /// Whether peer exchange is enabled (BEP 11). Default: true. It is never used for private
    /// torrents.
    pub pex: bool,
    /// Addresses whose peers are neither dialled nor accepted, whatever named them. Default: none.
    pub blocklist: Arc<Blocklist>,
    /// The client's name and version in the extended handshake (`v` of BEP 10).
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
            utp: true,
            pex: true,
            blocklist: Arc::default(),
            client: concat!("Aqueduct/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
