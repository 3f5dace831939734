//! Which of our addresses each remote side sends to. What we send must leave from there: a host may
//! have several, and the system would choose by the destination alone.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// The maximum number of entries in each of the two tables. With more remote addresses, those that
/// were silent the longest are forgotten, and the system chooses for them.
const MAX_ENTRIES: usize = 4096;

/// Our address by remote address.
#[derive(Debug, Default)]
pub(super) struct LocalAddresses {
    recent: HashMap<SocketAddr, IpAddr>,
    /// The entries of `recent` when it was full.
    older: HashMap<SocketAddr, IpAddr>,
}

impl LocalAddresses {
    /// Notes that a datagram arrived. `local`: where it was sent to, if that is known.
    pub(super) fn note(&mut self, remote: SocketAddr, local: Option<IpAddr>) {
        let Some(local) = local else { return };
        if self.recent.len() >= MAX_ENTRIES && !self.recent.contains_key(&remote) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(remote, local);
    }

    /// Our address that the last datagram of a remote side was sent to.
    pub(super) fn of(&self, remote: SocketAddr) -> Option<IpAddr> {
        let local = self.recent.get(&remote);
        local.or_else(|| self.older.get(&remote)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_sides_that_were_silent_the_longest_are_forgotten() {
        let remote = |n: usize| SocketAddr::from(([192, 0, 2, 1], u16::try_from(n).unwrap()));
        let (old, new) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut addresses = LocalAddresses::default();
        for n in 0..MAX_ENTRIES {
            addresses.note(remote(n), Some(old));
        }
        addresses.note(remote(1), Some(new));
        for n in 0..MAX_ENTRIES {
            addresses.note(remote(MAX_ENTRIES + n), Some(new));
            addresses.note(remote(2), Some(new));
        }
        addresses.note(remote(3), None);
        assert_eq!(addresses.of(remote(0)), None);
        assert_eq!(addresses.of(remote(2)), Some(new));
        assert_eq!(addresses.of(remote(2 * MAX_ENTRIES - 1)), Some(new));
        assert!(addresses.recent.len() + addresses.older.len() <= 2 * MAX_ENTRIES);
    }
}
