//! Why a bridge does not serve a tab or a join. Browsers cannot read the status of a failed
//! upgrade, so these travel after it.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::Reader;

/// Travels as a `Refused` frame and as the WebSocket's close code (4000 and up).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The tab speaks another version.
    #[error("the page and the bridge speak different versions; reload the page")]
    Version,
    /// A token is needed, or the one shown is not known.
    #[error("the bridge wants a token that was not shown")]
    Token,
    /// The page comes from an origin that the bridge does not serve.
    #[error(
        "the bridge does not serve pages from this origin; its operator can add it with `origin`"
    )]
    Origin,
    /// The subprotocol was not offered.
    #[error("the WebSocket was not opened with the subprotocol aqueduct.v1")]
    Subprotocol,
    /// Too many sessions from this address.
    #[error(
        "too many tabs from this network are connected to the bridge; close some or try again later"
    )]
    Address,
    /// The bridge is full.
    #[error("the bridge is full; try again later")]
    Full,
    /// The bridge is stopping.
    #[error("the bridge is being restarted")]
    Draining,
    /// The tab broke the rules.
    #[error("the bridge closed the session because a rule was broken")]
    Protocol,
    /// Nothing was heard for too long.
    #[error("the bridge heard nothing for too long")]
    Silent,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::Version,
        Self::Token,
        Self::Origin,
        Self::Subprotocol,
        Self::Address,
        Self::Full,
        Self::Draining,
        Self::Protocol,
        Self::Silent,
    ];

    /// The close code that says the same: 4001 and up, but 1002 for [`Refusal::Protocol`], which
    /// RFC 6455 has a code for.
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            other => 4000 + u16::from(other.number()),
        }
    }

    /// What a close code means, if it is one of ours.
    #[must_use]
    pub fn from_close_code(code: u16) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.close_code() == code)
    }

    /// Whether to come back by itself makes sense: the others need a person.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Address | Self::Full | Self::Draining | Self::Silent | Self::Protocol
        )
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::Token => 2,
            Self::Origin => 3,
            Self::Subprotocol => 4,
            Self::Address => 5,
            Self::Full => 6,
            Self::Draining => 7,
            Self::Protocol => 9,
            Self::Silent => 10,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.number() == number)
    }
}

/// Why a bridge does not take a join, and when to try again. Travels as a `JoinRefused` frame: a
/// number (u8), and for [`JoinRefusal::TooFast`] the time to wait in milliseconds (u32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// The session has as many joins as it may have: try again when it has left one.
    #[error("the bridge serves no more torrents to one tab at a time")]
    NoPlace,
    /// The session, or all sessions of its address, have joined too often lately.
    #[error("too many torrents were begun within a short time")]
    TooFast {
        /// Time until a join may be granted; at most 49 days, whole milliseconds.
        retry_after: Duration,
    },
    /// The session is in this swarm already.
    #[error("this tab is in the swarm already")]
    Duplicate,
    /// The bridge is stopping: try again in the next session.
    #[error("the bridge is being restarted")]
    Draining,
}

impl JoinRefusal {
    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u8(self.number());
        if let Self::TooFast { retry_after } = self {
            out.put_u32(u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let refusal = match r.u8()? {
            7 => Self::Draining,
            8 => Self::NoPlace,
            11 => Self::TooFast {
                retry_after: Duration::from_millis(r.u32()?.into()),
            },
            12 => Self::Duplicate,
            _ => return Err(r.fault()),
        };
        r.end()?;
        Ok(refusal)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Draining => 7,
            Self::NoPlace => 8,
            Self::TooFast { .. } => 11,
            Self::Duplicate => 12,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_read_back_from_its_number_and_its_close_code() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_number(refusal.number()), Some(refusal));
            assert_eq!(
                Refusal::from_close_code(refusal.close_code()),
                Some(refusal)
            );
        }
        assert_eq!(Refusal::from_close_code(1000), None);
        assert_eq!(Refusal::from_number(0), None);
    }
}
