//! Why peers failed, by kind, and a summary in one sentence for users.

use std::cmp::Reverse;
use std::fmt;

use crate::io::CloseReason;
use crate::types::{PeerAddr, SortedMap, sort};

/// The maximum number of addresses whose failure is stored. Further failures are only counted.
const MAX_ADDRS: usize = 4096;

/// How a peer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerFailure {
    /// Its host refused the connection.
    Refused,
    /// The connection attempt timed out.
    TimedOut,
    /// There is no route to the address, or the connection broke.
    Unreachable,
    /// It closed the connection before its handshake was complete.
    ClosedInHandshake,
    /// It closed the connection during an encrypted handshake, after a plaintext one if that was
    /// allowed.
    ClosedInEncryptedHandshake,
    /// It sent nothing during the handshake, or for too long afterwards.
    Silent,
    /// It answered for another torrent.
    WrongInfoHash,
    /// It violated the protocol, or uses another one.
    Protocol,
    /// The address is our own.
    Ourselves,
    /// It sent wrong data.
    Banned,
    /// It closed the connection soon after the handshake.
    Closed,
}

impl PeerFailure {
    const ALL: [Self; 11] = [
        Self::Refused,
        Self::TimedOut,
        Self::Unreachable,
        Self::ClosedInHandshake,
        Self::ClosedInEncryptedHandshake,
        Self::Silent,
        Self::WrongInfoHash,
        Self::Protocol,
        Self::Ourselves,
        Self::Banned,
        Self::Closed,
    ];

    /// The kind of failure; `None` if the connection ended by our own choice.
    #[must_use]
    pub const fn of(reason: &CloseReason) -> Option<Self> {
        match reason {
            CloseReason::Refused => Some(Self::Refused),
            CloseReason::TimedOut => Some(Self::TimedOut),
            CloseReason::Unreachable(_) => Some(Self::Unreachable),
            CloseReason::ClosedInHandshake => Some(Self::ClosedInHandshake),
            CloseReason::ClosedInEncryptedHandshake => Some(Self::ClosedInEncryptedHandshake),
            CloseReason::HandshakeTimeout | CloseReason::Silent => Some(Self::Silent),
            CloseReason::WrongInfoHash => Some(Self::WrongInfoHash),
            CloseReason::Protocol(_) | CloseReason::Misbehaved(_) => Some(Self::Protocol),
            CloseReason::Ourselves => Some(Self::Ourselves),
            CloseReason::Banned => Some(Self::Banned),
            CloseReason::Remote => Some(Self::Closed),
            CloseReason::Duplicate
            | CloseReason::Redundant
            | CloseReason::Full
            | CloseReason::Inactive
            | CloseReason::Private
            | CloseReason::Outdated
            | CloseReason::Blocked
            | CloseReason::Replaced => None,
        }
    }

    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "connection_refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::ClosedInHandshake => "closed_in_handshake",
            Self::ClosedInEncryptedHandshake => "closed_in_encrypted_handshake",
            Self::Silent => "silent",
            Self::WrongInfoHash => "wrong_info_hash",
            Self::Protocol => "protocol",
            Self::Ourselves => "ourselves",
            Self::Banned => "banned",
            Self::Closed => "closed",
        }
    }

    /// What `count` peers did, for a sentence in which their number precedes.
    fn of_many(self, count: usize) -> String {
        let (one, many) = match self {
            Self::Refused => ("refused the connection", "refused the connection"),
            Self::TimedOut => ("did not answer", "did not answer"),
            Self::Unreachable => ("could not be reached", "could not be reached"),
            Self::ClosedInHandshake => (
                "closed in the handshake (it may insist on encryption)",
                "closed in the handshake (they may insist on encryption)",
            ),
            Self::ClosedInEncryptedHandshake => (
                "closed in the encrypted handshake",
                "closed in the encrypted handshake",
            ),
            Self::Silent => ("silent", "silent"),
            Self::WrongInfoHash => ("has another torrent", "have another torrent"),
            Self::Protocol => ("broke the protocol", "broke the protocol"),
            Self::Ourselves => ("is ourselves", "are ourselves"),
            Self::Banned => ("shut out for wrong data", "shut out for wrong data"),
            Self::Closed => ("hung up", "hung up"),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

/// The last failure of each peer of a torrent. Its `Display` form is, for example, "asked 12 peers:
/// 7 refused the connection, 3 closed in the handshake (they may insist on encryption), 2 silent".
#[derive(Clone, Debug, Default)]
pub struct PeerFailures {
    last: SortedMap<PeerAddr, PeerFailure>,
}

impl PeerFailures {
    /// Records that a peer failed.
    pub fn note(&mut self, addr: PeerAddr, failure: PeerFailure) {
        if self.last.len() < MAX_ADDRS || self.last.contains_key(&addr) {
            self.last.insert(addr, failure);
        }
    }

    /// Removes the failure of a peer that is connected.
    pub fn forget(&mut self, addr: PeerAddr) {
        self.last.remove(&addr);
    }

    /// The number of peers with a known failure.
    #[must_use]
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether no failure is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// The number of peers whose last failure was of this kind.
    #[must_use]
    pub fn count(&self, failure: PeerFailure) -> usize {
        self.last
            .values()
            .filter(|other| **other == failure)
            .count()
    }
}

impl fmt::Display for PeerFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<(usize, PeerFailure)> = PeerFailure::ALL
            .map(|failure| (self.count(failure), failure))
            .to_vec();
        parts.retain(|(count, _)| *count > 0);
        sort::sort_by_key(&mut parts, |(count, failure)| (Reverse(*count), *failure));
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(count, failure)| failure.of_many(count))
            .collect();
        write!(
            f,
            "asked {} peer{}: {}",
            self.len(),
            if self.len() == 1 { "" } else { "s" },
            parts.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u16) -> PeerAddr {
        PeerAddr::from(([9, 9, 9, 9], n))
    }

    #[test]
    fn many_failures_read_as_one_sentence_the_most_frequent_first() {
        let mut failures = PeerFailures::default();
        (1..=2).for_each(|n| failures.note(addr(n), PeerFailure::Silent));
        (3..=9).for_each(|n| failures.note(addr(n), PeerFailure::Refused));
        (10..=12).for_each(|n| failures.note(addr(n), PeerFailure::ClosedInHandshake));
        let said = "asked 12 peers: 7 refused the connection, 3 closed in the handshake (they may insist on encryption), 2 silent";
        assert_eq!(failures.to_string(), said);
        (1..=11).for_each(|n| failures.forget(addr(n)));
        assert_eq!(
            failures.to_string(),
            "asked 1 peer: 1 closed in the handshake (it may insist on encryption)"
        );
        failures.note(addr(12), PeerFailure::WrongInfoHash);
        assert_eq!(failures.to_string(), "asked 1 peer: 1 has another torrent");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut failures = PeerFailures::default();
        (0..=u16::MAX).for_each(|n| failures.note(addr(n), PeerFailure::Refused));
        assert_eq!(failures.len(), MAX_ADDRS);
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = PeerFailure::ALL
            .iter()
            .map(|failure| failure.name())
            .collect();
        assert_eq!(names.len(), PeerFailure::ALL.len());
    }
}
