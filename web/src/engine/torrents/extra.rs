//! What a record stores of a torrent in the tab's own format.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::message::{Facts, TorrentOptions};

/// The user's choices for a torrent, and what its file said, as JSON in the record.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    pub(super) options: TorrentOptions,
    /// The indices of files that are downloaded before others.
    pub(super) high: Vec<u32>,
    pub(super) facts: Facts,
}

impl Extra {
    /// What was stored; nothing if an earlier or later version stored it in another way.
    pub(super) fn decode(stored: &[u8]) -> Self {
        serde_json::from_slice(stored).unwrap_or_default()
    }

    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Limits, WhenComplete};

    #[test]
    fn choices_survive_and_what_cannot_be_read_is_none() {
        let chosen = Extra {
            options: TorrentOptions {
                limits: Limits {
                    down: Some(1 << 40),
                    up: None,
                },
                sequential: true,
                when_complete: Some(WhenComplete::SeedToRatio(150)),
            },
            high: vec![2, 7],
            facts: Facts {
                comment: Some("a \"comment\"".to_owned()),
                created: Some(-1),
                ..Facts::default()
            },
        };
        assert_eq!(Extra::decode(&chosen.encode()), chosen);
        for unreadable in [&b""[..], b"{\"high\":true}", b"\xff"] {
            assert_eq!(Extra::decode(unreadable), Extra::default());
        }
    }
}
