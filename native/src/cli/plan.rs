//! The plan of `get` or `seed`, derived from the flags.

use std::path::PathBuf;
use std::time::Duration;

use super::flags::{DiscoveryFlags, SeedingFlags, SwarmFlags};
use super::select::Choice;

/// The command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Get,
    Seed,
}

/// When the command is done with a complete torrent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// Immediately.
    Downloaded,
    /// When one of these is reached.
    Served {
        /// Uploaded bytes, in all runs, per byte of the torrent.
        ratio: Option<f64>,
        /// The time since completion.
        time: Option<Duration>,
    },
    /// Never: it is seeded until the user interrupts.
    Interrupted,
}

impl Goal {
    fn new(purpose: Purpose, flags: &SeedingFlags) -> Self {
        match *flags {
            SeedingFlags {
                ratio: None,
                seed_time: None,
                seed,
            } if seed || purpose == Purpose::Seed => Self::Interrupted,
            SeedingFlags {
                ratio: None,
                seed_time: None,
                ..
            } => Self::Downloaded,
            SeedingFlags {
                ratio,
                seed_time: time,
                ..
            } => Self::Served { ratio, time },
        }
    }

    /// Whether the goal is reached by a torrent of `size` bytes that has been complete for `served`
    /// and of which `sent` bytes were uploaded.
    pub(crate) fn is_reached(self, served: Duration, sent: u64, size: u64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a ratio need not be exact")]
        let is_shared = |ratio| sent as f64 >= ratio * size as f64;
        match self {
            Self::Downloaded => true,
            Self::Served { ratio, time } => {
                time.is_some_and(|time| served >= time) || ratio.is_some_and(is_shared)
            }
            Self::Interrupted => false,
        }
    }
}

/// The sources of peers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerSources {
    pub(crate) trackers: bool,
    pub(crate) dht: bool,
    lsd: bool,
    /// `--peer`
    named: bool,
}

impl PeerSources {
    /// Through a proxy only trackers are asked.
    fn new(flags: &DiscoveryFlags, is_proxied: bool) -> Self {
        Self {
            trackers: !flags.no_trackers,
            dht: !flags.no_dht && !is_proxied,
            lsd: !flags.no_lsd && !is_proxied,
            named: !flags.peer.is_empty(),
        }
    }

    /// Whether there are none, so that only peers which already know our address can connect.
    pub(crate) const fn are_none(self) -> bool {
        !(self.trackers || self.dht || self.lsd || self.named)
    }
}

/// The plan of a session.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) purpose: Purpose,
    pub(crate) goal: Goal,
    /// The time without received data after which it gives up.
    pub(crate) timeout: Option<Duration>,
    pub(crate) sources: PeerSources,
    /// Trackers given by the user, which precede the torrents' own.
    pub(crate) trackers: Vec<String>,
    /// Whether files are listed instead of downloaded.
    pub(crate) list: bool,
    /// The file for the metadata of a magnet link.
    pub(crate) save_torrent: Option<PathBuf>,
    pub(crate) sequential: bool,
    pub(crate) json: bool,
    select: Vec<String>,
    exclude: Vec<String>,
}

impl Plan {
    pub(crate) fn new(purpose: Purpose, flags: &SwarmFlags) -> Self {
        let SwarmFlags {
            storage,
            discovery,
            limits,
            seeding,
            output,
            ..
        } = flags;
        Self {
            purpose,
            goal: Goal::new(purpose, seeding),
            timeout: limits.timeout,
            sources: PeerSources::new(discovery, flags.network.proxy.is_some()),
            trackers: discovery.tracker.clone(),
            list: storage.list,
            save_torrent: storage.save_torrent.clone(),
            sequential: storage.sequential,
            json: output.json,
            select: storage.select.clone(),
            exclude: storage.exclude.clone(),
        }
    }

    /// The files to download; `linked` are those that a magnet link selects.
    pub(crate) fn choice<'a>(&'a self, linked: Option<&'a [u32]>) -> Choice<'a> {
        Choice {
            select: &self.select,
            exclude: &self.exclude,
            linked,
        }
    }

    /// A torrent's tracker tiers, preceded by the user's own trackers.
    pub(crate) fn with_own_trackers(&self, tiers: Vec<Vec<String>>) -> Vec<Vec<String>> {
        let own = self.trackers.iter().map(|url| vec![url.clone()]);
        own.chain(tiers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_ends_when_it_is_complete_unless_it_is_to_be_served() {
        let flags = SeedingFlags::default();
        let seed = SeedingFlags {
            seed: true,
            ..SeedingFlags::default()
        };
        assert_eq!(Goal::new(Purpose::Get, &flags), Goal::Downloaded);
        assert_eq!(Goal::new(Purpose::Get, &seed), Goal::Interrupted);
        assert_eq!(Goal::new(Purpose::Seed, &flags), Goal::Interrupted);
        assert!(Goal::Downloaded.is_reached(Duration::ZERO, 0, 9));
        assert!(!Goal::Interrupted.is_reached(Duration::MAX, u64::MAX, 9));
    }

    #[test]
    fn of_time_and_ratio_the_first_to_be_reached_counts() {
        let flags = SeedingFlags {
            seed: true,
            ratio: Some(1.5),
            seed_time: Some(Duration::from_secs(60)),
        };
        let goal = Goal::new(Purpose::Seed, &flags);
        assert!(!goal.is_reached(Duration::from_secs(59), 149, 100));
        assert!(goal.is_reached(Duration::from_secs(60), 0, 100));
        assert!(goal.is_reached(Duration::ZERO, 150, 100));
    }
}
