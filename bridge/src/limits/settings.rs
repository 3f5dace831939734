//! Every limit of the bridge: meaning, unit, default, consequence. Each is a key of the `[limits]`
//! table.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A time span; in the configuration a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

/// The longest time span, a year: no sum of two points in time overflows.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

impl Seconds {
    const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let span = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|span| *span <= LONGEST);
        let error = || {
            serde::de::Error::custom(format!(
                "{seconds} is no number of seconds from 0 to {}",
                LONGEST.as_secs()
            ))
        };
        span.map(Self).ok_or_else(error)
    }
}

/// Declares [`Limits`] once: its fields, defaults, documentation, and how `--print-config` shows
/// them.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr;)+) => {
        /// The bridge's limits.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Limits { $($(#[doc = $doc])+ pub $name: $type,)+ }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// Name, documentation and value of each, in order.
            pub(crate) fn describe(&self) -> Vec<(String, Vec<&'static str>, String)> {
                vec![$((stringify!($name).replace('_', "-"), vec![$($doc),+], self.$name.to_string()),)+]
            }
        }
    };
}

limits! {
    /// Sessions in all. More are refused and told so. The cap at 90 % of the descriptors may be
    /// lower.
    sessions: usize = 10_000;
    /// Bytes in memory at which more sessions are refused and told so; 0: 90 % of what the machine,
    /// or the bridge's control group, has. What sessions hold of messages on their way may be half
    /// as much: those with most are ended, if it is more than an equal share of that.
    memory: u64 = 0;
    /// What one IPv6 /48 may have of everything that is limited per address, in shares of a /64:
    /// one customer may hold 65,536 of those.
    addresses_per_site: u32 = 4;
    /// Connections to the page's port from one address (/64 for IPv6), whatever they carry,
    /// sessions included. More are closed at once. Those of trusted proxies are not counted.
    connections_per_address: u32 = 256;
    /// TLS handshakes a second from one address (/64 for IPv6); after a pause five times as many at
    /// once. More are closed before they begin. Those of trusted proxies are not counted.
    tls_handshakes_per_address: u32 = 20;
    /// Sessions from one address (/64 for IPv6). More are refused and told so.
    sessions_per_address: u32 = 8;
    /// New sessions a second from one address. More are refused and told so.
    new_sessions_per_address: u32 = 4;
    /// Frames a second that are read of one session's WebSocket, pings and fragments included;
    /// after a pause five times as many at once. More wait, and with them what follows. 64 frames
    /// inside its messages count as one.
    frames_per_session: u32 = 2000;
    /// Time for a message of a tab, from its first byte to its last, seconds. Who is slower is sent
    /// away: what has begun is kept until it ends.
    message_timeout: Seconds = Seconds::new(30);
    /// Torrents a session joins at a time. More are refused and told so.
    joins_per_session: u16 = 32;
    /// Torrents a session may join anew a minute, once it has joined as many as it may have: each
    /// join is an announce. More are refused. One address has as many times that as it may have
    /// sessions, however often it opens new ones.
    joins_per_minute: u32 = 30;
    /// Peers a session is connected to or dials at a time.
    peers_per_session: u16 = 50;
    /// Dials a second for one session.
    dials_per_session: u32 = 5;
    /// Dials under way for one session.
    half_open_per_session: usize = 20;
    /// Requests a second to one address (/64 for IPv6), over all sessions and of every kind: peers
    /// dialled, announces over HTTP, each hop of a redirect, datagrams to a tracker; and lookups a
    /// second of names in one domain. More wait, the clients in turn.
    dials_per_target: u32 = 2;
    /// The same under way at a time.
    half_open_per_target: u32 = 20;
    /// Bytes a second read from one address that answers announces, and after a pause 80 times as
    /// many at once; one client may cause a quarter of that. Beyond it connections are closed, and
    /// the address is left alone until there is room.
    bytes_per_target: u32 = 64 * 1024;
    /// Times in a row that one client cannot connect to an address and port before these are left
    /// alone for that client; and clients of whom that is true before they are left alone for all.
    failures_per_target: u32 = 3;
    /// How long it is left alone, seconds.
    target_rest: Seconds = Seconds::new(600);
    /// Addresses of peers remembered for one torrent of one session.
    candidates: usize = 1000;
    /// Messages a minute, for one torrent of one session, in which the tab may name peers that its
    /// peers told it of. More are passed over, and at most a quarter of the addresses remembered
    /// come from them.
    hints_per_minute: u32 = 6;
    /// Times a minute that the tab may ask for more peers of one torrent. More are passed over.
    asks_per_minute: u32 = 6;
    /// Connections that dialled the peer port and have not yet said what for. For one more, the
    /// oldest of the address that has most is closed.
    incoming_half_open: usize = 200;
    /// The same from one address (/64 for IPv6). More are closed at once.
    incoming_half_open_per_address: u32 = 20;
    /// Time for connecting and the BitTorrent handshake together, seconds.
    handshake_timeout: Seconds = Seconds::new(10);
    /// Time for an HTTP request's head, seconds.
    upgrade_timeout: Seconds = Seconds::new(5);
    /// Time for a session's first message, seconds.
    hello_timeout: Seconds = Seconds::new(30);
    /// Time between two pings, seconds.
    ping_interval: Seconds = Seconds::new(30);
    /// Silence after which a tab is gone, seconds.
    silence: Seconds = Seconds::new(90);
    /// Bytes a tab may send on one stream before the peer has taken any.
    stream_window: u32 = 256 * 1024;
    /// Bytes a tab may send on all streams before peers have taken any: what uploads cost in
    /// memory, a session.
    session_window: u32 = 2 * 1024 * 1024;
    /// Announces to trackers under way at a time. More wait, the sessions in turn. A quarter of the
    /// descriptors may be less.
    announces: usize = 500;
    /// Announces under way at a time for one session: whoever names trackers that hang must not
    /// take all there may be. More wait.
    announces_per_session: usize = 20;
    /// Lookups at once for one session: names of trackers, and torrents in the DHT, each counted by
    /// itself. More wait their turn.
    lookups_per_session: u32 = 8;
    /// Time after which a session is granted one more lookup, seconds.
    lookup_interval: Seconds = Seconds::new(10);
    /// Trackers of one torrent at one host, by its name or address. Others are not asked: a tab
    /// must not turn the bridge against a host.
    trackers_per_host: usize = 4;
    /// Least time between two announces of a torrent to one tracker, seconds.
    announce_interval: Seconds = Seconds::new(60);
    /// Time after which a tab is told that a tracker gives no usable answer, seconds. If it is
    /// shorter than 30 s, the longest that an announce may take, tabs can tell open ports from
    /// closed ones.
    failures_told_after: Seconds = Seconds::new(35);
    /// Time that clients of the bridge's own tracker are told to wait between announces, seconds.
    /// Who is silent for twice as long is forgotten.
    tracker_interval: Seconds = Seconds::new(1800);
    /// Time that they are told to wait at least, seconds.
    tracker_min_interval: Seconds = Seconds::new(60);
    /// Swarms that the tracker keeps. One more takes the place of one of whoever announced most of
    /// them first; where nobody did more than the address that asks, it is refused and told so.
    tracker_swarms: usize = 100_000;
    /// Peers that it keeps in all swarms. Those beyond are given peers, but are not listed. About
    /// 40 bytes each.
    tracker_peers: usize = 1_000_000;
    /// Peers that it keeps of one swarm, each address family by itself. Those beyond are given
    /// peers, but are not listed.
    tracker_peers_per_swarm: usize = 20_000;
    /// Announces and scrapes a second from one address (/64 for IPv6); after a pause ten times as
    /// many at once. More are refused. The first announce of a swarm counts for four, so that no
    /// address fills the tracker alone.
    tracker_requests_per_address: u32 = 50;
    /// Time for sessions to end after SIGTERM, seconds. A second more and the program is gone.
    drain: Seconds = Seconds::new(9);
}
