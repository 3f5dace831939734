//! The parameters of a host.

use std::sync::Arc;

use aqueduct_core::Config;

use super::host::DHT_PORT;
use super::misbehavior::Misbehavior;
use super::nat::NatKind;
use super::net::Access;
use crate::torrent::Computed;

/// The parameters of a host.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) torrent: Arc<Computed>,
    pub(super) complete: bool,
    pub(super) access: Access,
    pub(super) config: Config,
    pub(super) misbehavior: Misbehavior,
    pub(super) wanted: Option<Vec<bool>>,
    pub(super) sequential: bool,
    pub(super) magnet: bool,
    pub(super) reachable: bool,
    /// Whether it has a UDP port, dials over uTP and is reached over uTP by others that do.
    pub(super) utp: bool,
    /// The NAT in front of it.
    pub(super) nat: Option<NatKind>,
    pub(super) tracker: bool,
    /// Whether it uses its tracker over UDP.
    pub(super) udp: bool,
    /// Whether DHT nodes are found by name. Without, they are only announced by peers.
    pub(super) bootstrap: bool,
    /// Whether it is on the local network that all such hosts share.
    pub(super) lsd: bool,
    /// Further torrents, as complete as the first one.
    pub(super) more: Vec<Arc<Computed>>,
}

impl Plan {
    /// A host that has no data and wants all of it.
    #[must_use]
    pub fn leech(torrent: &Arc<Computed>) -> Self {
        Self {
            torrent: Arc::clone(torrent),
            complete: false,
            access: Access::FAST,
            config: Config::default(),
            misbehavior: Misbehavior::None,
            wanted: None,
            sequential: false,
            magnet: false,
            reachable: true,
            utp: false,
            nat: None,
            tracker: true,
            udp: false,
            bootstrap: false,
            lsd: false,
            more: Vec::new(),
        }
    }
    /// A host that has all data.
    #[must_use]
    pub fn seed(torrent: &Arc<Computed>) -> Self {
        Self {
            complete: true,
            ..Self::leech(torrent)
        }
    }
    /// The torrent.
    #[must_use]
    pub fn torrent(&self) -> &Arc<Computed> {
        &self.torrent
    }
    /// Sets the access line.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }
    /// Sets the engine's configuration.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }
    /// Sets how the host misbehaves.
    #[must_use]
    pub fn misbehavior(self, misbehavior: Misbehavior) -> Self {
        Self {
            misbehavior,
            ..self
        }
    }
    /// Sets which files the host wants.
    #[must_use]
    pub fn wanted(self, wanted: Vec<bool>) -> Self {
        Self {
            wanted: Some(wanted),
            ..self
        }
    }
    /// Downloads pieces in order.
    #[must_use]
    pub fn sequential(self) -> Self {
        Self {
            sequential: true,
            ..self
        }
    }
    /// Starts with the info-hash only.
    #[must_use]
    pub fn magnet(self) -> Self {
        Self {
            magnet: true,
            ..self
        }
    }
    /// Uses no tracker.
    #[must_use]
    pub fn trackerless(self) -> Self {
        Self {
            tracker: false,
            ..self
        }
    }
    /// Uses its tracker over UDP instead of HTTP.
    #[must_use]
    pub fn udp_tracker(self) -> Self {
        Self { udp: true, ..self }
    }
    /// Adds a DHT node, which knows those of the other hosts.
    #[must_use]
    pub fn dht(mut self) -> Self {
        self.config.dht_port = Some(DHT_PORT);
        self.bootstrap = true;
        self
    }
    /// Adds local discovery on the network that all such hosts share.
    #[must_use]
    pub fn lsd(self) -> Self {
        Self { lsd: true, ..self }
    }
    /// Adds another torrent.
    #[must_use]
    pub fn also(mut self, torrent: &Arc<Computed>) -> Self {
        self.more.push(Arc::clone(torrent));
        self
    }
    /// Dials over uTP, and is reached over uTP by others that do.
    #[must_use]
    pub fn utp(self) -> Self {
        Self { utp: true, ..self }
    }
    /// Dials over uTP from behind a NAT of its own, whose external address is the host's
    /// [`addr`](super::Host::addr).
    #[must_use]
    pub fn nat(self, kind: NatKind) -> Self {
        let nat = Some(kind);
        Self { nat, ..self }.utp().unreachable()
    }
    /// Makes the host unreachable for dials over TCP.
    #[must_use]
    pub fn unreachable(self) -> Self {
        Self {
            reachable: false,
            ..self
        }
    }
}
