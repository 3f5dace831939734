//! The user's settings.

use aqueduct_core::Command;

use super::Driver;
use crate::browser::clock::now;
use crate::message::{PEERS, Settings};

/// Applies the user's settings to all torrents.
pub(super) fn apply(driver: &mut Driver, settings: Settings) {
    let max_peers = settings.max_peers.clamp(*PEERS.start(), *PEERS.end());
    let limits = Command::Limits {
        download: settings.limits.down,
        upload: settings.limits.up,
    };
    for command in [limits, Command::MaxPeers(max_peers.into())] {
        // Refused only while the engine shuts down, which a tab's never does.
        drop(driver.engine.command(now(), command));
    }
    let sources = (&driver.engine, &driver.library.torrents);
    driver.network.set_wanted_peers(sources, max_peers);
    let trackers = settings.trackers.clone();
    driver.library.set_default_trackers(trackers);
    driver.settings = settings;
}
