//! Every limit of the bridge: meaning, unit, default, consequence. Each is a key of the TOML file's
//! `[limits]` table.

use std::ffi::OsStr;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::option::{Scalar, options, parse_text};

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

impl Seconds {
    fn checked(seconds: f64) -> Result<Self, String> {
        let span = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|span| *span <= LONGEST);
        let error = || {
            format!(
                "{seconds} is no number of seconds from 0 to {}",
                LONGEST.as_secs()
            )
        };
        span.map(Self).ok_or_else(error)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Scalar for Seconds {
    fn parse(text: &OsStr) -> Result<Self, String> {
        Self::checked(parse_text(text)?)
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

options! {
    /// The bridge's limits.
    pub struct Limits {
        /// Sessions in total. Further ones are refused with that reason. The cap at 90 % of the
        /// descriptors may be lower.
        sessions: usize = 10_000;
        /// Bytes in memory at which further sessions are refused with that reason; 0: 90 % of what
        /// the machine, or the bridge's control group, has. Messages in transit may take half of
        /// that: beyond it, the sessions that hold the most, and more than an equal share, are
        /// closed.
        memory: u64 = 0;
        /// How much one IPv6 /48 may have of everything that is limited per address, as a multiple
        /// of the limit of a /64. One customer may own all 65,536 /64s of a /48.
        addresses_per_site: u32 = 4;
        /// Connections to the page's port from one address (/64 for IPv6), sessions included.
        /// Further ones are closed at once. Those of trusted proxies are not counted.
        connections_per_address: u32 = 256;
        /// TLS handshakes per second from one address (/64 for IPv6); after a pause five times as
        /// many at once. Further ones are closed before they begin. Those of trusted proxies are
        /// not counted.
        tls_handshakes_per_address: u32 = 20;
        /// Sessions from one address (/64 for IPv6). Further ones are refused with that reason.
        sessions_per_address: u32 = 8;
        /// New sessions per second from one address. Further ones are refused with that reason.
        new_sessions_per_address: u32 = 4;
        /// Frames per second that are read from one session's WebSocket, pings and fragments
        /// included; after a pause five times as many at once. Further ones are read later. 64
        /// frames of the tunnel inside its messages count as one.
        frames_per_session: u32 = 2000;
        /// Time for one message of a tab, from its first byte to its last, seconds. A slower
        /// session is closed, since an unfinished message takes memory.
        message_timeout: Seconds = Seconds::new(30);
        /// Torrents that one session may have joined at the same time. Further ones are refused
        /// with that reason.
        joins_per_session: u16 = 32;
        /// Torrents that one session may join per minute after its first `joins-per-session`: each
        /// join is an announce. Further ones are refused. All sessions of one address together may
        /// join `sessions-per-address` times as many, however often it opens new ones.
        joins_per_minute: u32 = 30;
        /// Peers that one session is connected to or dials at the same time.
        peers_per_session: u16 = 50;
        /// Dials per second for one session.
        dials_per_session: u32 = 5;
        /// Dials in progress for one session.
        half_open_per_session: usize = 20;
        /// Requests per second to one address (/64 for IPv6), over all sessions and of every kind:
        /// peers dialled (twice, unless the first attempt succeeds within a quarter of a second),
        /// announces over HTTP, each hop of a redirect, datagrams to a tracker; and lookups per
        /// second of names in one domain. Further ones wait, and clients take turns.
        dials_per_target: u32 = 2;
        /// Such requests in progress at the same time.
        half_open_per_target: u32 = 20;
        /// Bytes per second read from one address that answers announces, and after a pause 80
        /// times as many at once; one client may cause a quarter of that. Beyond it, connections
        /// are closed, and the address is not asked again until the rate allows it.
        bytes_per_target: u32 = 64 * 1024;
        /// Datagrams per second to one address (/64 for IPv6) as a node of the DHT, over all
        /// sessions; after a pause ten times as many at once. Further ones are not sent: nodes of
        /// an attacker can name any address as that of a further node.
        dht_datagrams_per_target: u32 = 10;
        /// Number of failures in a row after which an address and port are no longer dialled for
        /// one client, and number of such clients after which they are no longer dialled for any.
        failures_per_target: u32 = 3;
        /// How long such an address and port are not dialled, seconds.
        target_rest: Seconds = Seconds::new(600);
        /// Addresses of peers remembered for one torrent of one session.
        candidates: usize = 1000;
        /// Messages per minute, for one torrent of one session, in which the tab may name peers
        /// that its peers told it of. Further ones are ignored, and at most a quarter of the
        /// addresses remembered come from them.
        hints_per_minute: u32 = 6;
        /// How often per minute the tab may ask for more peers of one torrent. Further requests are
        /// ignored.
        asks_per_minute: u32 = 6;
        /// Connections to the peer port that have not named an info-hash yet. When there is one
        /// more, the oldest connection of the address range that has the most is closed.
        incoming_half_open: usize = 200;
        /// Such connections from one address (/64 for IPv6). Further ones are closed at once.
        incoming_half_open_per_address: u32 = 20;
        /// uTP connections at a time, in both directions. One may hold 1.25 MiB, which counts for its
        /// session. At the limit peers are reached over TCP alone.
        utp_connections: usize = 2000;
        /// Time for connecting and the BitTorrent handshake together, seconds.
        handshake_timeout: Seconds = Seconds::new(10);
        /// The same for a peer that dials in and encrypts its handshake.
        encrypted_handshake_timeout: Seconds = Seconds::new(20);
        /// Encrypted handshakes per second that one address (/64 for IPv6) may begin at the peer
        /// port; after a pause five times as many at once. More are closed before the key exchange,
        /// which costs processor time.
        encrypted_handshakes_per_address: u32 = 20;
        /// Encrypted handshakes per second in total, of peers that dial in and of dials; 1000 take
        /// about a sixth of one core. Further ones wait, and addresses (/48 for IPv6) take turns;
        /// those whose time is over are closed.
        encrypted_handshakes: u32 = 1000;
        /// Time after which a dial that found no peer is reported to its tab as failed and makes
        /// room for the next, seconds. It is the same whether the port was closed, silent or open
        /// to something else, so that tabs cannot tell these apart. The dial itself may take
        /// `handshake-timeout`, if the session needs no room for newer ones. With the defaults, 20
        /// dials in progress at 5 per second, dead addresses do not slow a session down.
        failed_dials_told_after: Seconds = Seconds::new(4);
        /// Time for an HTTP request's head, seconds.
        upgrade_timeout: Seconds = Seconds::new(5);
        /// Time for a session's first message, seconds.
        hello_timeout: Seconds = Seconds::new(30);
        /// Time between two pings, seconds.
        ping_interval: Seconds = Seconds::new(30);
        /// Silence after which a tab's session is closed, seconds.
        silence: Seconds = Seconds::new(90);
        /// Bytes that a tab may send on one stream before the peer has received any.
        stream_window: u32 = 256 * 1024;
        /// Bytes that a tab may send on all streams before peers have received any. This bounds the
        /// memory for the uploads of one session.
        session_window: u32 = 2 * 1024 * 1024;
        /// Files for which one session may have addresses for media players at the same time. A
        /// session that takes more is closed.
        player_addresses_per_session: u16 = 64;
        /// Requests of players for files of one session in progress at the same time, each of which
        /// holds at most `stream-window` bytes. Further ones are answered with 503.
        player_reads_per_session: u16 = 8;
        /// Such requests in progress over all sessions. Further ones are answered with 503.
        player_reads: usize = 64;
        /// Announces to trackers in progress at the same time. Further ones wait, and sessions take
        /// turns. Never more than a quarter of the descriptors.
        announces: usize = 500;
        /// Announces in progress at the same time for one session, so that unresponsive trackers
        /// cannot take all slots. Further ones wait.
        announces_per_session: usize = 20;
        /// Lookups in progress at the same time for one session: names of trackers, and torrents in
        /// the DHT, counted separately. Further ones wait.
        lookups_per_session: u32 = 8;
        /// Time after which a session is granted one more lookup, seconds.
        lookup_interval: Seconds = Seconds::new(10);
        /// Trackers of one torrent at one host, by its name or address. Further ones are not asked,
        /// so that a tab cannot make the bridge flood a host.
        trackers_per_host: usize = 4;
        /// Minimum time between two announces of a torrent to one tracker, seconds.
        announce_interval: Seconds = Seconds::new(60);
        /// Time after which a tab is told that a tracker did not answer, or not usably, seconds. If
        /// it is shorter than 30 s, the longest that an announce may take, tabs can tell open ports
        /// from closed ones.
        failures_told_after: Seconds = Seconds::new(35);
        /// Time that clients of the bridge's own tracker are told to wait between announces,
        /// seconds. A client that is silent for twice as long is forgotten.
        tracker_interval: Seconds = Seconds::new(1800);
        /// Minimum time that they are told to wait, seconds.
        tracker_min_interval: Seconds = Seconds::new(60);
        /// Swarms that the tracker keeps. A further one replaces a swarm of the address that
        /// announced the most of them first. If no address has more than the requesting one, the
        /// announce is refused with that reason.
        tracker_swarms: usize = 100_000;
        /// Peers that it keeps in all swarms. Further ones are given peers, but are not listed.
        /// About 40 bytes each.
        tracker_peers: usize = 1_000_000;
        /// Peers that it keeps of one swarm, counted separately for each address family. Further
        /// ones are given peers, but are not listed.
        tracker_peers_per_swarm: usize = 20_000;
        /// Announces and scrapes per second from one address (/64 for IPv6); after a pause ten
        /// times as many at once. Further ones are refused. The first announce of a swarm counts as
        /// four, so that no address fills the tracker alone.
        tracker_requests_per_address: u32 = 50;
        /// Time for sessions to end after SIGTERM, seconds. The program exits at most a second
        /// later.
        drain: Seconds = Seconds::new(9);
    }
}
