//! What prevents all traffic, or a part of it: a missing interface, or a proxy that refuses.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aqueduct_native::net::Outbound;

/// How often it is checked.
const INTERVAL: Duration = Duration::from_secs(1);
/// Reasons that are told; a proxy may invent others without end.
const MAX_REASONS: usize = 8;

/// The trouble that was last told.
#[derive(Debug)]
pub(super) struct Trouble {
    outbound: Outbound,
    told: Option<String>,
    /// Why datagrams are not relayed: each reason is told once, since other trackers may do.
    relay_told: BTreeSet<String>,
    checked: Option<Instant>,
}

impl Trouble {
    pub(super) const fn new(outbound: Outbound) -> Self {
        Self {
            outbound,
            told: None,
            relay_told: BTreeSet::new(),
            checked: None,
        }
    }

    /// What is to be told now, if anything has changed.
    pub(super) fn check(&mut self, now: Instant) -> Option<String> {
        let is_due = self.checked.is_none_or(|checked| now - checked >= INTERVAL);
        if !is_due {
            return None;
        }
        self.checked = Some(now);
        let trouble = self.outbound.trouble();
        if trouble == self.told {
            return self.check_relay();
        }
        self.told.clone_from(&trouble);
        Some(trouble.unwrap_or_else(|| "the network can be used again".to_owned()))
    }

    /// Why datagrams are not relayed, if that reason was not told yet.
    fn check_relay(&mut self) -> Option<String> {
        let reason = self.outbound.relay_trouble()?;
        let is_new = self.relay_told.len() < MAX_REASONS && self.relay_told.insert(reason.clone());
        is_new.then_some(reason)
    }

    /// The current trouble, for the explanation why nothing is received.
    pub(super) fn current(&self) -> Option<&str> {
        self.told.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_native::net::{Bind, Device};

    use super::*;

    #[test]
    fn trouble_is_told_once_until_it_changes() {
        let device: Device = "aq-missing".parse().unwrap();
        let mut trouble = Trouble::new(Outbound::direct(Bind::from(device)));
        let now = Instant::now();
        assert!(
            trouble
                .check(now)
                .is_some_and(|told| told.contains("aq-missing"))
        );
        assert_eq!(trouble.check(now + INTERVAL), None);
        assert!(trouble.current().is_some());
        trouble.outbound = Outbound::default();
        assert_eq!(trouble.check(now + INTERVAL), None, "not yet due");
        let over = trouble.check(now + 2 * INTERVAL);
        assert_eq!(over.as_deref(), Some("the network can be used again"));
        assert_eq!(trouble.current(), None);
    }
}
