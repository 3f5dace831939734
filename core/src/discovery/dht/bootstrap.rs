//! Bootstrap nodes, which are asked while few other nodes are known.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::config::Config;
use crate::net::is_usable;

/// The maximum number of addresses that are stored.
const MAX_ADDRS: usize = 32;

/// The bootstrap nodes.
#[derive(Debug)]
pub(super) struct Bootstrap {
    names: Vec<(String, u16)>,
    /// Whether they are ordinary nodes; see [`Config::keep_bootstrap`].
    ordinary: bool,
    addrs: BTreeSet<SocketAddr>,
    /// The number of names that are being looked up.
    resolving: usize,
}

impl Bootstrap {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            names: config.bootstrap.clone(),
            ordinary: config.keep_bootstrap,
            addrs: BTreeSet::new(),
            resolving: 0,
        }
    }

    /// The names to look up, unless a lookup is in progress.
    pub(super) fn begin(&mut self) -> Vec<(String, u16)> {
        if self.resolving > 0 {
            return Vec::new();
        }
        self.resolving = self.names.len();
        self.names.clone()
    }

    /// Stores the addresses of one name. Returns those that can be queried.
    pub(super) fn handle_resolved(&mut self, addrs: &[SocketAddr]) -> Vec<SocketAddr> {
        self.resolving = self.resolving.saturating_sub(1);
        let usable = addrs.iter().copied().filter(|addr| is_usable(*addr));
        let usable: Vec<SocketAddr> = usable.collect();
        let room = MAX_ADDRS.saturating_sub(self.addrs.len());
        self.addrs.extend(usable.iter().take(room));
        usable
    }

    /// All addresses that are known.
    pub(super) fn addrs(&self) -> impl Iterator<Item = SocketAddr> {
        self.addrs.iter().copied()
    }

    /// Whether a node may be in our table. Public bootstrap routers may not.
    pub(super) fn may_be_kept(&self, addr: SocketAddr) -> bool {
        self.ordinary || !self.addrs.contains(&addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_again_only_once_all_were_and_few_addresses_are_remembered() {
        let names = vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
        let mut bootstrap = Bootstrap::new(&Config {
            bootstrap: names.clone(),
            ..Config::default()
        });
        assert_eq!(bootstrap.begin(), names);
        let addrs: Vec<SocketAddr> = (0..100).map(|n| ([9, 9, 9, n], 6881).into()).collect();
        assert_eq!(bootstrap.handle_resolved(&addrs).len(), 100);
        assert!(bootstrap.begin().is_empty());
        assert_eq!(
            bootstrap.handle_resolved(&["9.9.9.9:0".parse().unwrap()]),
            []
        );
        assert_eq!(bootstrap.begin(), names);
        assert_eq!(bootstrap.addrs().count(), MAX_ADDRS);
        assert!(!bootstrap.may_be_kept(addrs[0]) && bootstrap.may_be_kept(addrs[99]));
    }
}
