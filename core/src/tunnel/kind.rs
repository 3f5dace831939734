//! The kinds of frames and their numbers on the wire.

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Tab: the first frame of a session.
    Hello = 1,
    /// Tab: find peers for an info-hash. Number: the join, chosen by the tab.
    Join = 2,
    /// Tab: amounts and wishes of a join.
    Update = 3,
    /// Tab: leave the swarm of a join.
    Leave = 4,
    /// Tab: answers [`Kind::Ping`].
    Pong = 5,
    /// Tab: addresses of peers that its peers told it of. Number: the join.
    Hint = 6,
    /// Bridge: the session is accepted.
    Welcome = 16,
    /// Bridge: the session is refused, and closed next.
    Refused = 17,
    /// Bridge: a join is refused.
    JoinRefused = 18,
    /// Bridge: a peer answered. Number: the stream, chosen by the bridge.
    Open = 19,
    /// Bridge: what the trackers of a join said.
    Trackers = 20,
    /// Bridge: how many peers of a join were found, dialled, refused.
    Peers = 21,
    /// Bridge: it will stop soon.
    Draining = 22,
    /// Bridge: asks for a sign of life.
    Ping = 23,
    /// Bridge: how the search of a join in the DHT stands.
    Dht = 24,
    /// Either: bytes of a stream.
    Data = 32,
    /// Either: bytes of a stream were consumed, so many more may be sent.
    Credit = 33,
    /// Either: a stream is over.
    Close = 34,
}

impl Kind {
    pub(super) const ALL: [Self; 18] = [
        Self::Hello,
        Self::Join,
        Self::Update,
        Self::Leave,
        Self::Pong,
        Self::Hint,
        Self::Welcome,
        Self::Refused,
        Self::JoinRefused,
        Self::Open,
        Self::Trackers,
        Self::Peers,
        Self::Draining,
        Self::Ping,
        Self::Dht,
        Self::Data,
        Self::Credit,
        Self::Close,
    ];

    /// `None` for a number that no frame has.
    pub(super) fn from_wire(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}
