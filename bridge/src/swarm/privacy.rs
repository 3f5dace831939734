//! The permitted sources of a swarm's peers (BEP 27).

use aqueduct_core::types::PeerSource;

/// The source for tabs of this bridge, and for peers that only its own tracker knows: they count as
/// found on the local network.
const NEARBY: PeerSource = PeerSource::Lsd;

/// Whether a swarm is private, and whether a tracker confirms the tabs of this bridge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Privacy {
    private: bool,
    /// Whether a tracker of the torrent has returned this bridge as a peer: then even a private
    /// swarm may use its other tabs.
    tracker_names_bridge: bool,
}

impl Privacy {
    pub(crate) const fn new(private: bool) -> Self {
        Self {
            private,
            tracker_names_bridge: false,
        }
    }

    pub(crate) const fn is_private(self) -> bool {
        self.private
    }

    /// The torrent has turned out to be private. Returns whether it was not known to be.
    pub(crate) const fn set_private(&mut self) -> bool {
        !std::mem::replace(&mut self.private, true)
    }

    pub(crate) const fn set_tracker_names_bridge(&mut self) {
        self.tracker_names_bridge = true;
    }

    /// Whether a tracker of the torrent has returned this bridge as a peer.
    pub(crate) const fn tracker_names_bridge(self) -> bool {
        self.tracker_names_bridge
    }

    /// Whether peers from this source may be used.
    pub(crate) const fn allows(self, source: PeerSource) -> bool {
        !self.private || source.suits_private()
    }

    /// Whether other tabs of this bridge may be peers.
    pub(crate) const fn allows_tabs(self) -> bool {
        !self.private || self.tracker_names_bridge
    }

    /// The source that other tabs of this bridge count as.
    pub(crate) const fn source_of_tabs(self) -> PeerSource {
        if self.tracker_names_bridge {
            PeerSource::Tracker
        } else {
            NEARBY
        }
    }

    /// The source that peers of the bridge's own tracker count as; `named`: the torrent names that
    /// tracker.
    pub(crate) const fn source_of_own_tracker(named: bool) -> PeerSource {
        if named { PeerSource::Tracker } else { NEARBY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_swarm_has_peers_of_trackers_and_tabs_only_if_a_tracker_names_the_bridge() {
        let mut privacy = Privacy::new(false);
        assert!(privacy.allows(PeerSource::Dht) && privacy.allows_tabs());
        assert!(privacy.set_private() && !privacy.set_private());
        assert!(!privacy.allows(PeerSource::Dht) && privacy.allows(PeerSource::Tracker));
        assert!(!privacy.allows_tabs() && !privacy.allows(privacy.source_of_tabs()));
        privacy.set_tracker_names_bridge();
        assert!(privacy.allows_tabs() && privacy.allows(privacy.source_of_tabs()));
    }
}
