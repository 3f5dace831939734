//! What a host of a world is to be like.

use std::sync::Arc;

use aqueduct_core::Config;

use super::host::DHT_PORT;
use super::malice::Malice;
use super::net::Access;
use crate::torrent::Computed;

/// What a host is to be like.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) torrent: Arc<Computed>,
    pub(super) complete: bool,
    pub(super) access: Access,
    pub(super) config: Config,
    pub(super) malice: Malice,
    pub(super) wanted: Option<Vec<bool>>,
    pub(super) sequential: bool,
    pub(super) magnet: bool,
    pub(super) reachable: bool,
    pub(super) tracker: bool,
    /// It asks its tracker over UDP.
    pub(super) udp: bool,
    /// Nodes of the DHT are found by name. Without, only peers name them.
    pub(super) bootstrap: bool,
    /// It is on the local network that all such hosts share.
    pub(super) lsd: bool,
    /// Torrents beside the first one, as complete as that.
    pub(super) more: Vec<Arc<Computed>>,
}

impl Plan {
    /// Has nothing and wants everything.
    #[must_use]
    pub fn leech(torrent: &Arc<Computed>) -> Self {
        Self {
            torrent: Arc::clone(torrent),
            complete: false,
            access: Access::FAST,
            config: Config::default(),
            malice: Malice::None,
            wanted: None,
            sequential: false,
            magnet: false,
            reachable: true,
            tracker: true,
            udp: false,
            bootstrap: false,
            lsd: false,
            more: Vec::new(),
        }
    }
    /// Has everything.
    #[must_use]
    pub fn seed(torrent: &Arc<Computed>) -> Self {
        Self {
            complete: true,
            ..Self::leech(torrent)
        }
    }
    /// Its line.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }
    /// Its engine's settings.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }
    /// How it cheats.
    #[must_use]
    pub fn malice(self, malice: Malice) -> Self {
        Self { malice, ..self }
    }
    /// Which files it wants.
    #[must_use]
    pub fn wanted(self, wanted: Vec<bool>) -> Self {
        Self {
            wanted: Some(wanted),
            ..self
        }
    }
    /// Pieces in order.
    #[must_use]
    pub fn sequential(self) -> Self {
        Self {
            sequential: true,
            ..self
        }
    }
    /// It knows only the info-hash.
    #[must_use]
    pub fn magnet(self) -> Self {
        Self {
            magnet: true,
            ..self
        }
    }
    /// It asks no tracker.
    #[must_use]
    pub fn trackerless(self) -> Self {
        Self {
            tracker: false,
            ..self
        }
    }
    /// It asks its tracker over UDP instead of HTTP.
    #[must_use]
    pub fn udp_tracker(self) -> Self {
        Self { udp: true, ..self }
    }
    /// It has a node of the DHT, which knows the nodes of the others.
    #[must_use]
    pub fn dht(mut self) -> Self {
        self.config.dht_port = Some(DHT_PORT);
        self.bootstrap = true;
        self
    }
    /// It looks for peers on a local network, where all such hosts are.
    #[must_use]
    pub fn lsd(self) -> Self {
        Self { lsd: true, ..self }
    }
    /// It has another torrent, too.
    #[must_use]
    pub fn also(mut self, torrent: &Arc<Computed>) -> Self {
        self.more.push(Arc::clone(torrent));
        self
    }
    /// Nobody can dial it.
    #[must_use]
    pub fn unreachable(self) -> Self {
        Self {
            reachable: false,
            ..self
        }
    }
}
