//! The user's settings.

use serde::{Deserialize, Serialize};

use crate::codec::Encoded;

/// The least and the largest number of peers per torrent that can be set. A tab has at most so many
/// peers in all torrents together.
pub const PEERS: std::ops::RangeInclusive<u16> = 1..=200;

/// Settings for all torrents. They are stored by the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encoded)]
#[serde(default)]
pub struct Settings {
    /// The rate limits over all torrents.
    pub limits: Limits,
    /// The maximum number of peers per torrent, in [`PEERS`].
    pub max_peers: u16,
    /// What to do with a download that is complete. Does not apply to torrents that were created
    /// here.
    pub when_complete: WhenComplete,
    /// Trackers that are added to new torrents, private ones excepted.
    pub trackers: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_peers: 50,
            when_complete: WhenComplete::Seed,
            trackers: Vec::new(),
        }
    }
}

/// Rate limits in payload bytes per second; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encoded)]
pub struct Limits {
    /// The limit on downloads.
    pub down: Option<u64>,
    /// The limit on uploads.
    pub up: Option<u64>,
}

/// The user's choices for one torrent. They are stored with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encoded)]
#[serde(default)]
pub struct TorrentOptions {
    /// Its own rate limits. Those over all torrents also apply.
    pub limits: Limits,
    /// Whether its data are downloaded in order, for instance for a player that reads them.
    pub sequential: bool,
    /// What to do when it is complete; `None`: as the settings say.
    pub when_complete: Option<WhenComplete>,
}

/// What to do with a torrent that is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encoded)]
pub enum WhenComplete {
    /// Seed without an end.
    #[default]
    Seed,
    /// Pause it at once.
    Stop,
    /// Seed until this ratio of uploaded to downloaded bytes, in hundredths, then pause it.
    SeedToRatio(u32),
}

impl WhenComplete {
    /// The ratio at which it is paused, in hundredths; `None`: never.
    #[must_use]
    pub const fn ratio(self) -> Option<u32> {
        match self {
            Self::Seed => None,
            Self::Stop => Some(0),
            Self::SeedToRatio(ratio) => Some(ratio),
        }
    }
}

/// The number of bytes that uploads are compared with: those that were downloaded or, if there are
/// none, because the torrent was created here or its data were found, its size.
#[must_use]
pub const fn ratio_base(downloaded: u64, size: u64) -> u64 {
    match downloaded {
        0 => size,
        downloaded => downloaded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_an_earlier_version_lack_entries_and_keep_the_others() {
        let read: Settings = serde_json::from_str(r#"{"max_peers":7,"later":1}"#).unwrap();
        let expected = Settings {
            max_peers: 7,
            ..Settings::default()
        };
        assert_eq!(read, expected);
    }
}
