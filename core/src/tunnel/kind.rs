//! The kinds of frames and their numbers on the wire.

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Tab: the first frame of a session.
    Hello = 1,
    /// Tab: joins the swarm of an info-hash. Number: the join, chosen by the tab.
    Join = 2,
    /// Tab: amounts and wanted peers of a join.
    Update = 3,
    /// Tab: leave the swarm of a join.
    Leave = 4,
    /// Tab: answers a [`Kind::Ping`].
    Pong = 5,
    /// Tab: addresses of peers that its peers named. Number: the join.
    Hint = 6,
    /// Tab: offers a file to media players on its machine. Number: the offer, chosen by the tab.
    Offer = 7,
    /// Tab: withdraws an offer.
    Withdraw = 8,
    /// Bridge: the session is accepted.
    Welcome = 16,
    /// Bridge: the session is refused, and closed next.
    Refused = 17,
    /// Bridge: a join is refused.
    JoinRefused = 18,
    /// Bridge: a peer is connected. Number: the stream, chosen by the bridge.
    Open = 19,
    /// Bridge: the results of a join's trackers.
    Trackers = 20,
    /// Bridge: how many peers of a join were found, dialled and refused.
    Peers = 21,
    /// Bridge: it will stop soon.
    Draining = 22,
    /// Bridge: requests a [`Kind::Pong`], and tells how long the last one took.
    Ping = 23,
    /// Bridge: the counts of a join's DHT lookups.
    Dht = 24,
    /// Bridge: what one of a join's trackers answered.
    Tracker = 25,
    /// Bridge: the token of an offer.
    Offered = 26,
    /// Bridge: a player reads an offered file. Number: the stream, chosen by the bridge.
    Read = 27,
    /// Both: data of a stream.
    Data = 32,
    /// Both: data of a stream were consumed, so more may be sent.
    Credit = 33,
    /// Both: a stream has ended.
    Close = 34,
    /// Both: as many bytes of a stream are in flight as its window permits.
    Exhausted = 35,
    /// Both: the window of a stream is wider than before by this many bytes.
    Widen = 36,
}

impl Kind {
    pub(super) const ALL: [Self; 25] = [
        Self::Hello,
        Self::Join,
        Self::Update,
        Self::Leave,
        Self::Pong,
        Self::Hint,
        Self::Offer,
        Self::Withdraw,
        Self::Welcome,
        Self::Refused,
        Self::JoinRefused,
        Self::Open,
        Self::Trackers,
        Self::Peers,
        Self::Draining,
        Self::Ping,
        Self::Dht,
        Self::Tracker,
        Self::Offered,
        Self::Read,
        Self::Data,
        Self::Credit,
        Self::Close,
        Self::Exhausted,
        Self::Widen,
    ];

    /// `None` for an unknown number.
    pub(super) fn from_wire(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}
