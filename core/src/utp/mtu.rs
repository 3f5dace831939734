//! How long datagrams may be: the path is probed from a floor that every path carries up to what a
//! socket is configured for (RFC 8899).
//!
//! A probe is an ordinary DATA packet that must not be fragmented. The maximum length is tried
//! first, since it nearly always fits. A probe that was lost is sent again as a datagram that may
//! be fragmented, because a packet's payload cannot be divided again.

use std::net::SocketAddr;

use super::config::Config;
use super::sequence::Sequence;

/// What every path of IPv4 carries: 576 bytes with headers.
const FLOOR_V4: u16 = 576 - 28;
/// What every path of IPv6 carries: 1,280 bytes with headers.
const FLOOR_V6: u16 = 1280 - 48;
/// The search ends at this uncertainty, in bytes.
const PRECISION: u16 = 16;
/// The number of lost probes of one length after which it counts as too long, since a single loss
/// may be a coincidence.
const TRIES: u8 = 3;
/// Timeouts in a row after which the path may have changed.
const BLACK_HOLE: u8 = 3;

/// The search of one connection.
#[derive(Debug)]
pub(super) struct PathMtu {
    /// The longest length that arrived, or the floor.
    known: u16,
    /// The longest length that may still fit.
    ceiling: u16,
    floor: u16,
    losses: u8,
    probe: Option<Probe>,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    packet: Sequence,
    length: u16,
}

impl PathMtu {
    pub(super) fn new(config: &Config, to: SocketAddr) -> Self {
        let (floor, ceiling) = if to.ip().to_canonical().is_ipv4() {
            (FLOOR_V4, config.max_datagram_v4)
        } else {
            (FLOOR_V6, config.max_datagram_v6)
        };
        Self {
            known: floor,
            ceiling: ceiling.max(floor),
            floor,
            losses: 0,
            probe: None,
        }
    }

    /// The length of ordinary datagrams.
    pub(super) const fn length(&self) -> u16 {
        self.known
    }

    /// The length of a probe that may go out now; `None` while one is under way, and when the
    /// search is over.
    pub(super) fn poll_probe(&self) -> Option<u16> {
        let searching = self.probe.is_none() && self.ceiling - self.known > PRECISION;
        searching.then(|| self.next_length())
    }

    /// Bisects the uncertain range, except for the first probe, which tries the maximum.
    const fn next_length(&self) -> u16 {
        if self.known == self.floor && self.losses < TRIES {
            self.ceiling
        } else {
            self.known + (self.ceiling - self.known).div_ceil(2)
        }
    }

    /// A packet went out as a probe.
    pub(super) fn handle_sent(&mut self, packet: Sequence, length: u16) {
        self.probe = Some(Probe { packet, length });
    }

    /// The packet that is the probe under way.
    pub(super) fn probe(&self) -> Option<Sequence> {
        self.probe.map(|probe| probe.packet)
    }

    /// The probe arrived.
    pub(super) fn handle_acknowledged(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.known = probe.length.max(self.known);
            self.losses = 0;
        }
    }

    /// Records that the probe was lost.
    pub(super) fn handle_lost(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.losses = self.losses.saturating_add(1);
            if self.losses.is_multiple_of(TRIES) {
                self.handle_too_long(probe.length);
            }
        }
    }

    /// The system refuses to send a datagram of this length.
    pub(super) fn handle_too_long(&mut self, length: u16) {
        self.ceiling = self.ceiling.min(length.saturating_sub(1)).max(self.known);
        self.losses = self.losses.max(TRIES);
    }

    /// Handles consecutive timeouts: the path may have changed, and may carry no more than the
    /// floor.
    pub(super) fn handle_timeout(&mut self, timeouts: u8) {
        self.handle_lost();
        if timeouts >= BLACK_HOLE {
            (self.known, self.ceiling) = (self.floor, self.floor);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn path_mtu() -> PathMtu {
        PathMtu::new(&Config::default(), ([11, 0, 0, 1], 1).into())
    }

    /// Probes a path that carries datagrams of this length; returns how many probes it took.
    fn search(mtu: &mut PathMtu, carries: u16) -> u16 {
        let mut probes = 0;
        while let Some(length) = mtu.poll_probe() {
            mtu.handle_sent(Sequence(probes), length);
            assert_eq!(
                (mtu.probe(), mtu.poll_probe()),
                (Some(Sequence(probes)), None)
            );
            if length <= carries {
                mtu.handle_acknowledged();
            } else {
                mtu.handle_lost();
            }
            probes += 1;
        }
        probes
    }

    #[test]
    fn an_ordinary_path_takes_one_probe() {
        let mut mtu = path_mtu();
        assert_eq!(mtu.length(), FLOOR_V4);
        assert_eq!((search(&mut mtu, 1472), mtu.length()), (1, 1472));
    }

    #[test]
    fn a_path_that_carries_only_the_least_is_known_after_some_probes() {
        let mut mtu = path_mtu();
        let probes = search(&mut mtu, FLOOR_V4);
        assert_eq!((probes, mtu.length()), (21, FLOOR_V4));
    }

    #[test]
    fn two_lost_probes_are_a_coincidence() {
        let mut mtu = path_mtu();
        for packet in 0..2 {
            mtu.handle_sent(Sequence(packet), mtu.poll_probe().unwrap());
            mtu.handle_lost();
        }
        assert_eq!(mtu.poll_probe(), Some(1472));
    }

    #[test]
    fn after_three_timeouts_in_a_row_datagrams_have_the_floor() {
        let mut mtu = path_mtu();
        search(&mut mtu, 1472);
        mtu.handle_timeout(2);
        assert_eq!(mtu.length(), 1472);
        mtu.handle_timeout(3);
        assert_eq!((mtu.length(), mtu.poll_probe()), (FLOOR_V4, None));
    }

    proptest! {
        #[test]
        fn a_search_ends_close_below_what_the_path_carries(carries in FLOOR_V4..2000) {
            let mut mtu = path_mtu();
            let probes = search(&mut mtu, carries);
            let best = carries.min(1472);
            prop_assert!(mtu.length() <= best && best - mtu.length() <= PRECISION);
            prop_assert!(probes <= 30);
        }
    }
}
