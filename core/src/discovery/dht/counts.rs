//! The DHT's counts for a torrent, for display.

use std::fmt;

/// The DHT's counts for one torrent. Its `Display` form is, for example, "DHT: 214 nodes, 0 peers".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DhtCounts {
    /// The number of nodes in the routing tables of both address families.
    pub nodes: u32,
    /// The number of peers that the last lookup found, without ourselves.
    pub peers: u32,
    /// Whether a lookup is in progress.
    pub asking: bool,
}

impl fmt::Display for DhtCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        write!(
            f,
            "DHT: {} node{}, {} peer{}",
            self.nodes,
            plural(self.nodes),
            self.peers,
            plural(self.peers)
        )?;
        f.write_str(if self.asking { " so far" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_the_dht_read_as_a_sentence() {
        assert_eq!(
            DhtCounts {
                nodes: 214,
                peers: 0,
                asking: false
            }
            .to_string(),
            "DHT: 214 nodes, 0 peers"
        );
        assert_eq!(
            DhtCounts {
                nodes: 1,
                peers: 1,
                asking: true
            }
            .to_string(),
            "DHT: 1 node, 1 peer so far"
        );
    }
}
