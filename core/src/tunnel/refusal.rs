//! Why a bridge refuses a tab or a join. Browsers cannot read the status of a failed upgrade, so
//! refusals are sent after it.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::error::Fault;
use super::reader::Reader;

/// The reason why a session is refused. It is sent as a `Refused` frame and as the WebSocket's
/// close code (4000 and up).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The tab's protocol version is not supported.
    #[error("the page and the bridge speak different versions; reload the page")]
    Version,
    /// A token is required, and the given one is missing or unknown.
    #[error("the bridge wants a token that was not shown")]
    Token,
    /// The page's origin is not served by the bridge.
    #[error(
        "the bridge does not serve pages from this origin; its operator can add it with `origin`"
    )]
    Origin,
    /// The subprotocol was not offered.
    #[error("the WebSocket was not opened with the subprotocol aqueduct.v1")]
    Subprotocol,
    /// There are too many sessions from this address.
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
    /// The tab violated the protocol.
    #[error("the bridge closed the session because a rule was broken")]
    Protocol,
    /// No message arrived for too long.
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

    /// The corresponding close code: 4001 and up, except 1002 for [`Refusal::Protocol`], for which
    /// RFC 6455 defines a code.
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            other => 4000 + u16::from(other.number()),
        }
    }

    /// The refusal with this close code, if there is one.
    #[must_use]
    pub fn from_close_code(code: u16) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.close_code() == code)
    }

    /// Whether reconnecting automatically is useful; other refusals require a user's action.
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

/// Why a bridge refuses a join, and when to try again. Encoded in a `JoinRefused` frame as a number
/// (u8), and for [`JoinRefusal::TooFast`] the delay in milliseconds (u32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// The session has the maximum number of joins. Try again after leaving one.
    #[error("the bridge serves no more torrents to one tab at a time")]
    NoPlace,
    /// The session, or all sessions of its address, have recently joined too often.
    #[error("too many torrents were started within a short time")]
    TooFast {
        /// The time until a join may be granted; at most 49 days, in whole milliseconds.
        retry_after: Duration,
    },
    /// The session has already joined this swarm.
    #[error("this tab is in the swarm already")]
    Duplicate,
    /// The bridge is stopping. Try again in the next session.
    #[error("the bridge is being restarted")]
    Draining,
}

impl JoinRefusal {
    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u8(self.number());
        if let Self::TooFast { retry_after } = self {
            // Rounded up: whoever waits for exactly that long must not come too early.
            let millis = retry_after.as_nanos().div_ceil(1_000_000);
            out.put_u32(u32::try_from(millis).unwrap_or(u32::MAX));
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
