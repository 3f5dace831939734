//! The handshake (BEP 3) of a connection, of which the dialling side sends its own first.

use bytes::{Buf as _, BytesMut};

use super::event::{Event, Reason};
use crate::types::{InfoHashV1, Instant};
use crate::wire::{HANDSHAKE_LEN, Handshake, PEER_ID_AT, WireError};

/// How far the handshake of one connection is.
#[derive(Clone, Debug)]
pub(super) struct Handshaking {
    progress: Progress,
    deadline: Instant,
    /// The info-hash that the remote is known to mean, if it is.
    expected: Option<InfoHashV1>,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    /// We dialled; the remote's handshake is incomplete.
    Dialled,
    /// The remote dialled; its info-hash is not there yet.
    Accepted,
    /// The remote's info-hash is known, its peer id is not there yet.
    Wanted {
        /// Whether our handshake is on its way.
        answered: bool,
    },
    /// The remote's handshake is complete; ours is owed.
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

    /// The remote has named this swarm before its handshake.
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

    /// Returns whether our handshake is to be sent now.
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

    /// Takes the remote's handshake off the input if it is complete.
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

    /// The remote answers for the torrent that we dialled it for (BEP 3), and for the one that it
    /// has named. `None` while its info-hash is not there.
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
