//! Numbers of things, and parts of sizes.

use super::texts;

texts! {
    peers(n) { en: "{n} peer" | "{n} peers", de: "{n} Peer" | "{n} Peers" }
    seeds(n) { en: "{n} seed" | "{n} seeds", de: "{n} Seed" | "{n} Seeds" }
    incomplete_peers(n) {
        en: "{n} incomplete peer" | "{n} incomplete peers",
        de: "{n} unvollständiger Peer" | "{n} unvollständige Peers",
    }
    nodes(n) { en: "{n} node" | "{n} nodes", de: "{n} Knoten" | "{n} Knoten" }
    part_of(some, all) { en: "{some} of {all}", de: "{some} von {all}" }
    /// Of a whole that looks complete when it is rounded.
    nearly(all, missing) { en: "{all}, {missing} missing", de: "{all}, {missing} fehlen" }
}
