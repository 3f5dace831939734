//! Which of our addresses each remote side sends to. What we send must leave from there: a host may
//! have several, and the system would choose by the destination alone.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// The maximum number of entries in each of the four tables. With more remote addresses, those that
/// were silent the longest are forgotten, and the system chooses for them.
const MAX_ENTRIES: usize = 4096;

/// Our address by remote address.
#[derive(Debug, Default)]
pub(super) struct LocalAddresses {
    /// Those that want to connect, which may be forged. They are separate so that a flood of them
    /// does not displace others.
    connecting: Recent,
    others: Recent,
}

#[derive(Debug, Default)]
struct Recent {
    recent: HashMap<SocketAddr, IpAddr>,
    /// The entries of `recent` when it was full.
    older: HashMap<SocketAddr, IpAddr>,
}

impl LocalAddresses {
    /// Notes that a datagram arrived. `local`: where it was sent to, if that is known. `is_syn`:
    /// whether it opens a connection.
    pub(super) fn note(&mut self, remote: SocketAddr, local: Option<IpAddr>, is_syn: bool) {
        let Some(local) = local else { return };
        if is_syn {
            self.connecting.note(remote, local);
        } else {
            self.others.note(remote, local);
        }
    }

    /// Our address that the last datagram of a remote side was sent to.
    pub(super) fn of(&self, remote: SocketAddr) -> Option<IpAddr> {
        let connecting = || self.connecting.of(remote);
        self.others.of(remote).or_else(connecting)
    }
}

impl Recent {
    fn note(&mut self, remote: SocketAddr, local: IpAddr) {
        if self.recent.len() >= MAX_ENTRIES && !self.recent.contains_key(&remote) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(remote, local);
    }

    fn of(&self, remote: SocketAddr) -> Option<IpAddr> {
        let local = self.recent.get(&remote);
        local.or_else(|| self.older.get(&remote)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_addresses_that_want_to_connect_displaces_no_other() {
        let remote = |n: u32| SocketAddr::from((n.to_be_bytes(), 6881));
        let local = IpAddr::from([10, 0, 0, 1]);
        let mut addresses = LocalAddresses::default();
        addresses.note(remote(0), Some(local), false);
        for n in 1..100_000 {
            addresses.note(remote(n), Some(local), true);
            assert_eq!(addresses.of(remote(n)), Some(local));
        }
        assert_eq!(addresses.of(remote(0)), Some(local));
    }

    #[test]
    fn the_remote_sides_that_were_silent_the_longest_are_forgotten() {
        let remote = |n: usize| SocketAddr::from(([192, 0, 2, 1], u16::try_from(n).unwrap()));
        let (old, new) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut addresses = LocalAddresses::default();
        for n in 0..MAX_ENTRIES {
            addresses.note(remote(n), Some(old), false);
        }
        addresses.note(remote(1), Some(new), false);
        for n in 0..MAX_ENTRIES {
            addresses.note(remote(MAX_ENTRIES + n), Some(new), false);
            addresses.note(remote(2), Some(new), false);
        }
        addresses.note(remote(3), None, false);
        assert_eq!(addresses.of(remote(0)), None);
        assert_eq!(addresses.of(remote(2)), Some(new));
        assert_eq!(addresses.of(remote(2 * MAX_ENTRIES - 1)), Some(new));
        assert!(addresses.others.recent.len() + addresses.others.older.len() <= 2 * MAX_ENTRIES);
    }
}
