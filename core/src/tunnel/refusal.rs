//! Why a bridge does not serve a tab or a join. Browsers cannot read the status of a failed upgrade, so these travel after it.

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
    #[error("the bridge does not serve pages from this origin; its operator can add it with `origin`")]
    Origin,
    /// The subprotocol was not offered.
    #[error("the WebSocket was not opened with the subprotocol aqueduct.v1")]
    Subprotocol,
    /// Too many sessions from this address.
    #[error("too many tabs from this network are connected to the bridge; close some or try again later")]
    Address,
    /// The bridge is full.
    #[error("the bridge is full; try again later")]
    Full,
    /// The bridge is stopping.
    #[error("the bridge is being restarted")]
    Draining,
    /// More torrents than a session may have.
    #[error("the bridge serves no more torrents to one tab")]
    Joins,
    /// The tab broke the rules.
    #[error("the bridge closed the session because a rule was broken")]
    Protocol,
    /// Nothing was heard for too long.
    #[error("the bridge heard nothing for too long")]
    Silent,
}

impl Refusal {
    const ALL: [Self; 10] = [
        Self::Version,
        Self::Token,
        Self::Origin,
        Self::Subprotocol,
        Self::Address,
        Self::Full,
        Self::Draining,
        Self::Joins,
        Self::Protocol,
        Self::Silent,
    ];

    /// The close code that says the same: 4001 and up, but 1002 for [`Refusal::Protocol`], which RFC 6455 has a code for.
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
        Self::ALL.into_iter().find(|refusal| refusal.close_code() == code)
    }

    /// Whether to come back by itself makes sense: the others need a person.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Address | Self::Full | Self::Draining | Self::Silent | Self::Protocol)
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
            Self::Joins => 8,
            Self::Protocol => 9,
            Self::Silent => 10,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_read_back_from_its_number_and_its_close_code() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_number(refusal.number()), Some(refusal));
            assert_eq!(Refusal::from_close_code(refusal.close_code()), Some(refusal));
        }
        assert_eq!(Refusal::from_close_code(1000), None);
        assert_eq!(Refusal::from_number(0), None);
    }
}
