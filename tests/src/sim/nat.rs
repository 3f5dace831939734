//! Network address translators (RFC 4787) in front of one host with one UDP port.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aqueduct_core::Instant;

/// What a decision of a NAT depends on, besides the host's own address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependence {
    /// On nothing: it is the same for every remote endpoint.
    Independent,
    /// On the remote address.
    Address,
    /// On the remote address and port.
    AddressAndPort,
}

/// How a NAT behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatKind {
    /// Which datagrams of the host leave from the same external port. A NAT whose mapping is not
    /// independent is called symmetric.
    pub mapping: Dependence,
    /// Which datagrams from outside pass: those from everywhere, or from where the host has sent
    /// something.
    pub filtering: Dependence,
    /// How long a mapping and a filter's entry last after the host's last datagram. Received
    /// datagrams do not prolong them.
    pub timeout: Duration,
}

impl NatKind {
    /// A NAT with these behaviours, which forgets after 30 s, the least that is common.
    #[must_use]
    pub const fn new(mapping: Dependence, filtering: Dependence) -> Self {
        Self {
            mapping,
            filtering,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A part of a remote endpoint on which a decision depends.
type Key = (Option<IpAddr>, Option<u16>);

impl Dependence {
    fn key(self, remote: SocketAddr) -> Key {
        match self {
            Self::Independent => (None, None),
            Self::Address => (Some(remote.ip()), None),
            Self::AddressAndPort => (Some(remote.ip()), Some(remote.port())),
        }
    }
}

/// An external port.
#[derive(Debug)]
struct Mapped {
    port: u16,
    used_at: Instant,
    /// Where the host has sent something from this port, and when it did last.
    sent: BTreeMap<Key, Instant>,
}

/// A NAT in front of one UDP port.
#[derive(Debug)]
pub(super) struct Nat {
    kind: NatKind,
    ip: IpAddr,
    mapped: BTreeMap<Key, Mapped>,
    next_port: u16,
}

impl Nat {
    /// `ip`: its external address.
    pub(super) fn new(kind: NatKind, ip: IpAddr) -> Self {
        Self {
            kind,
            ip,
            mapped: BTreeMap::new(),
            next_port: 50_001,
        }
    }

    /// Translates the source of a datagram that the host sends.
    pub(super) fn send(&mut self, now: Instant, to: SocketAddr) -> SocketAddr {
        let timeout = self.kind.timeout;
        self.mapped
            .retain(|_, mapped| now.since(mapped.used_at) < timeout);
        let next_port = &mut self.next_port;
        let fresh = || {
            let port = *next_port;
            *next_port += 1;
            let sent = BTreeMap::new();
            Mapped {
                port,
                used_at: now,
                sent,
            }
        };
        let mapped = self.mapped.entry(self.kind.mapping.key(to));
        let mapped = mapped.or_insert_with(fresh);
        mapped.used_at = now;
        mapped.sent.insert(self.kind.filtering.key(to), now);
        SocketAddr::new(self.ip, mapped.port)
    }

    /// Whether a datagram to this external port reaches the host.
    pub(super) fn admits(&self, now: Instant, from: SocketAddr, port: u16) -> bool {
        let key = self.kind.filtering.key(from);
        let is_recent = |at: &Instant| now.since(*at) < self.kind.timeout;
        let mapped = self.mapped.values().find(|mapped| mapped.port == port);
        mapped.is_some_and(|mapped| mapped.sent.get(&key).is_some_and(is_recent))
    }
}

#[cfg(test)]
mod tests {
    use super::Dependence::{Address, AddressAndPort, Independent};
    use super::*;

    const ALL: [Dependence; 3] = [Independent, Address, AddressAndPort];

    fn remote(last: u8, port: u16) -> SocketAddr {
        ([45, 0, 0, last], port).into()
    }

    fn nat(mapping: Dependence, filtering: Dependence) -> Nat {
        Nat::new(NatKind::new(mapping, filtering), [46, 0, 0, 1].into())
    }

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn the_external_port_is_the_same_for_what_the_mapping_does_not_depend_on() {
        for (mapping, ports) in [
            (Independent, [50_001; 3]),
            (Address, [50_001, 50_001, 50_002]),
            (AddressAndPort, [50_001, 50_002, 50_003]),
        ] {
            let mut nat = nat(mapping, Independent);
            let sent = [remote(1, 1), remote(1, 2), remote(2, 1)];
            let sent = sent.map(|to| nat.send(at(0), to).port());
            assert_eq!(sent, ports, "{mapping:?}");
        }
    }

    #[test]
    fn datagrams_pass_from_where_the_filter_does_not_make_a_difference() {
        for (filtering, passes) in [
            (Independent, [true, true, true]),
            (Address, [true, true, false]),
            (AddressAndPort, [true, false, false]),
        ] {
            let mut nat = nat(Independent, filtering);
            let port = nat.send(at(0), remote(1, 1)).port();
            let from = [remote(1, 1), remote(1, 2), remote(2, 1)];
            let passed = from.map(|from| nat.admits(at(1), from, port));
            assert_eq!(passed, passes, "{filtering:?}");
            assert!(!nat.admits(at(1), remote(1, 1), port + 1));
        }
    }

    #[test]
    fn after_half_a_minute_of_silence_nothing_passes_and_the_port_is_another() {
        for filtering in ALL {
            let mut nat = nat(Independent, filtering);
            let first = nat.send(at(0), remote(1, 1)).port();
            assert_eq!(nat.send(at(29), remote(1, 1)).port(), first);
            assert!(nat.admits(at(58), remote(1, 1), first));
            assert!(!nat.admits(at(59), remote(1, 1), first));
            assert_ne!(nat.send(at(59), remote(1, 1)).port(), first);
        }
    }
}
