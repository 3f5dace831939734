//! The handshake (BEP 3) of a connection. The dialling side sends its handshake first.

use bytes::{Buf as _, BytesMut};

use super::event::{Event, Reason};
use crate::types::{InfoHashV1, Instant};
use crate::wire::{HANDSHAKE_LEN, Handshake, PEER_ID_AT, WireError};

/// The state of the handshakes on one connection.
#[derive(Clone, Debug)]
pub(super) struct Handshaking {
    progress: Progress,
    deadline: Instant,
    /// The info-hash that the remote side must use, if it is known.
    expected: Option<InfoHashV1>,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    /// We dialled, and the remote side's handshake is incomplete.
    Dialled,
    /// The remote side dialled, and its info-hash has not arrived.
    Accepted,
    /// The remote side's info-hash has arrived, its peer id has not.
    Wanted {
        /// Whether our handshake was sent.
        answered: bool,
    },
    /// The remote side's handshake is complete, and ours was not sent.
    Unanswered,
    Over,
}

impl Handshaking {
    pub(super) const fn dialled(info_hash: InfoHashV1, deadline: Instant) -> Self {
        Self {
            progress: Progress::Dialled,
            deadline,
            expected: Some(info_hash),
        }
    }

    pub(super) const fn accepted(deadline: Instant) -> Self {
        Self {
            progress: Progress::Accepted,
            deadline,
            expected: None,
        }
    }

    /// Sets the info-hash that the remote side named during encryption.
    pub(super) const fn expect(&mut self, info_hash: InfoHashV1) {
        self.expected = Some(info_hash);
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Over)
    }

    pub(super) const fn poll_timeout(&self) -> (Instant, Reason) {
        let reason = match self.progress {
            Progress::Wanted { answered: false } | Progress::Unanswered => Reason::Answer,
            _ => Reason::Handshake,
        };
        (self.deadline, reason)
    }

    /// Records the answer. Returns whether our handshake must be sent now.
    pub(super) fn answer(&mut self) -> bool {
        self.progress = match self.progress {
            Progress::Wanted { answered: false } => Progress::Wanted { answered: true },
            Progress::Unanswered => Progress::Over,
            _ => return false,
        };
        true
    }

    pub(super) fn poll_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, WireError> {
        match self.progress {
            Progress::Accepted => {
                let wanted = self.check_info_hash(input)?;
                if wanted.is_some() {
                    self.progress = Progress::Wanted { answered: false };
                }
                Ok(wanted.map(Event::Wanted))
            }
            Progress::Dialled => {
                self.check_info_hash(input)?;
                self.take(input, Progress::Over)
            }
            Progress::Wanted { answered: true } => self.take(input, Progress::Over),
            Progress::Wanted { answered: false } => self.take(input, Progress::Unanswered),
            Progress::Unanswered | Progress::Over => Ok(None),
        }
    }

    /// Removes the remote side's handshake from the input if it is complete.
    fn take(&mut self, input: &mut BytesMut, then: Progress) -> Result<Option<Event>, WireError> {
        let theirs = Handshake::decode(input)?;
        if theirs.is_some() {
            input.advance(HANDSHAKE_LEN);
            self.progress = then;
        }
        Ok(theirs.map(Event::Handshaken))
    }

    pub(super) const fn missing(&self, input: &[u8]) -> usize {
        match self.progress {
            Progress::Accepted => PEER_ID_AT.saturating_sub(input.len()),
            Progress::Dialled | Progress::Wanted { .. } => {
                HANDSHAKE_LEN.saturating_sub(input.len())
            }
            Progress::Unanswered | Progress::Over => 0,
        }
    }

    /// Checks that the remote side answers for the torrent that was dialled (BEP 3), or for the one
    /// that it named during encryption. `None` until its info-hash has arrived.
    fn check_info_hash(&self, input: &[u8]) -> Result<Option<InfoHashV1>, WireError> {
        let received = Handshake::decode_info_hash(input)?;
        match (received, self.expected) {
            (Some(received), Some(expected)) if received != expected => {
                Err(WireError::InfoHash { expected, received })
            }
            _ => Ok(received),
        }
    }
}
