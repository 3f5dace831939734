//! Datagrams on their way to the system, as many per call as it takes.

use std::net::SocketAddr;

use aqueduct_core::utp::Transmit;

/// The maximum length of a batch in bytes. The system divides at most 65,507 bytes, and at most 64
/// datagrams.
const MAX_BYTES: usize = 60_000;
/// The maximum number of datagrams of a batch.
const MAX_DATAGRAMS: usize = 64;

/// Datagrams to one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    pub(super) to: SocketAddr,
    /// A single datagram that must not be fragmented.
    pub(super) is_probe: bool,
    pub(super) bytes: &'a [u8],
    /// The length of each datagram, except that the last may be shorter.
    pub(super) segment: usize,
}

/// The current batch, and the datagram that did not fit into it.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// The first datagram of the batch; `None` if there is no batch.
    first: Option<Transmit>,
    segment: usize,
    bytes: Vec<u8>,
    /// The number of bytes of the batch that were sent.
    sent: usize,
    /// The datagram that follows the batch; its bytes.
    next: Option<Transmit>,
    next_bytes: Vec<u8>,
}

impl Unsent {
    /// Whether everything was sent.
    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none() && self.next.is_none()
    }

    /// The batch to send now: the rest of the current one, or a new one of the datagrams that
    /// `poll` appends to its argument.
    pub(super) fn next(
        &mut self,
        poll: impl FnMut(&mut Vec<u8>) -> Option<Transmit>,
    ) -> Option<Batch<'_>> {
        if self.first.is_none() {
            self.fill(poll);
        }
        let first = self.first?;
        Some(Batch {
            to: first.to,
            is_probe: first.is_probe,
            bytes: self.bytes.get(self.sent..).unwrap_or_default(),
            segment: self.segment,
        })
    }

    /// The system took so many bytes of the batch.
    pub(super) fn handle_sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.bytes.len() {
            self.clear();
        }
    }

    /// Drops the rest of the batch.
    pub(super) fn clear(&mut self) {
        (self.first, self.sent) = (None, 0);
        self.bytes.clear();
    }

    fn fill(&mut self, mut poll: impl FnMut(&mut Vec<u8>) -> Option<Transmit>) {
        std::mem::swap(&mut self.bytes, &mut self.next_bytes);
        self.first = self.next.take().or_else(|| poll(&mut self.bytes));
        self.segment = self.bytes.len();
        let Some(first) = self.first.filter(|first| !first.is_probe) else {
            return;
        };
        for count in 1.. {
            let start = self.bytes.len();
            // The last one was shorter.
            let is_full = start < self.segment * count || start + self.segment > MAX_BYTES;
            if is_full || count >= MAX_DATAGRAMS {
                return;
            }
            let Some(transmit) = poll(&mut self.bytes) else {
                return;
            };
            let fits = self.bytes.len() - start <= self.segment;
            if transmit != first || !fits {
                self.next_bytes
                    .extend_from_slice(self.bytes.get(start..).unwrap_or_default());
                self.bytes.truncate(start);
                self.next = Some(transmit);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(host: u8, is_probe: bool) -> Transmit {
        let to = ([11, 0, 0, host], 6881).into();
        Transmit { to, is_probe }
    }

    /// The batches of these datagrams: host, whether it probes, and lengths.
    fn batches(datagrams: &[(u8, bool, usize)]) -> Vec<(Transmit, usize, usize)> {
        let (mut unsent, mut rest) = (Unsent::default(), datagrams.iter());
        let mut batches = Vec::new();
        loop {
            let batch = unsent.next(|out| {
                let (host, is_probe, length) = *rest.next()?;
                out.resize(out.len() + length, host);
                Some(to(host, is_probe))
            });
            let Some(Batch {
                to,
                is_probe,
                bytes,
                segment,
            }) = batch
            else {
                assert!(unsent.is_empty());
                return batches;
            };
            let (transmit, length) = (Transmit { to, is_probe }, bytes.len());
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            batches.push((transmit, length, segment));
            unsent.handle_sent(length);
        }
    }

    #[test]
    fn datagrams_of_one_length_to_one_address_go_together_and_a_shorter_one_ends_them() {
        let datagrams = [
            (1, false, 100),
            (1, false, 100),
            (1, false, 70),
            (1, false, 70),
        ];
        let expected = [(to(1, false), 270, 100), (to(1, false), 70, 70)];
        assert_eq!(batches(&datagrams), expected);
    }

    #[test]
    fn another_address_a_longer_datagram_and_a_probe_begin_a_new_batch() {
        let datagrams = [
            (1, false, 100),
            (2, false, 100),
            (2, false, 101),
            (2, true, 101),
            (2, false, 101),
        ];
        let expected = [
            (to(1, false), 100, 100),
            (to(2, false), 100, 100),
            (to(2, false), 101, 101),
            (to(2, true), 101, 101),
            (to(2, false), 101, 101),
        ];
        assert_eq!(batches(&datagrams), expected);
    }

    #[test]
    fn a_batch_has_at_most_64_datagrams_and_60_000_bytes() {
        let lengths = |length| {
            let batches = batches(&[(1, false, length); 100]).into_iter();
            batches.map(|(_, length, _)| length).collect::<Vec<_>>()
        };
        assert_eq!(lengths(20), [1280, 720]);
        assert_eq!(lengths(1472), [58_880, 58_880, 29_440]);
    }

    #[test]
    fn what_the_system_did_not_take_is_sent_next() {
        let mut unsent = Unsent::default();
        let mut polled = 0;
        let mut next = |unsent: &mut Unsent| {
            let batch = unsent.next(|out| {
                polled += 1;
                (polled <= 3).then(|| {
                    out.resize(out.len() + 100, 1);
                    to(1, false)
                })
            });
            batch.map(|batch| (batch.bytes.len(), batch.segment))
        };
        assert_eq!(next(&mut unsent), Some((300, 100)));
        unsent.handle_sent(200);
        assert_eq!(next(&mut unsent), Some((100, 100)));
        unsent.clear();
        assert_eq!(next(&mut unsent), None);
    }
}
