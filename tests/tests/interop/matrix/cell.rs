//! One meeting: Aqueduct and one client with one setting each, over one transport, dialled by one
//! side.

use std::collections::BTreeMap;
use std::path::Path;

use aqueduct_tests::torrent::{Computed, Recipe};

/// The length of a piece, and of each side's part of a torrent in bytes.
const PIECE: u32 = 32 * 1024;
const PART: u64 = 2 * PIECE as u64;

/// How a side treats encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Policy {
    Off,
    Allow,
    /// Encrypted first, then in the clear.
    Prefer,
    Require,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Transport {
    Tcp,
    Utp,
}

/// A client, its settings of encryption, and its transports.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) policies: &'static [Policy],
    transports: &'static [Transport],
}

const BOTH: &[Transport] = &[Transport::Tcp, Transport::Utp];
const ALL: &[Policy] = &[Policy::Off, Policy::Allow, Policy::Require];

/// Those that Debian packages and that run without a screen, and libtorrent itself.
pub(super) const CLIENTS: [Client; 5] = [
    Client {
        name: "libtorrent",
        policies: ALL,
        transports: BOTH,
    },
    Client {
        name: "transmission",
        policies: &[Policy::Allow, Policy::Prefer, Policy::Require],
        transports: BOTH,
    },
    Client {
        name: "aria2",
        policies: &[Policy::Allow, Policy::Require],
        transports: &[Transport::Tcp],
    },
    Client {
        name: "rtorrent",
        policies: ALL,
        transports: &[Transport::Tcp],
    },
    Client {
        name: "qbittorrent",
        policies: ALL,
        transports: BOTH,
    },
];

impl Policy {
    /// The value of `--encryption`, for us and for the script of the other client.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

/// Why a client and we cannot meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    OpposedSettings,
    DialsInTheClearOnly,
    TakesRefusalForMissingUtp,
}

impl Obstacle {
    pub(super) const ALL: [Self; 3] = [
        Self::OpposedSettings,
        Self::DialsInTheClearOnly,
        Self::TakesRefusalForMissingUtp,
    ];

    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::OpposedSettings => "-",
            Self::DialsInTheClearOnly => "-a",
            Self::TakesRefusalForMissingUtp => "-b",
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::OpposedSettings => "one side requires encryption, and the other one has it off",
            Self::DialsInTheClearOnly => {
                "Transmission 3.00 that allows encryption dials in the clear, and does not try again"
            }
            Self::TakesRefusalForMissingUtp => {
                "Transmission 3.00 whose encrypted handshake is refused over uTP tries TCP, not uTP in the clear"
            }
        }
    }
}

/// What one side says of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// `rc4`, `handshake`, `no`, or from a client that does not distinguish the last two `not rc4`.
    pub(super) encrypted: Option<String>,
    pub(super) transport: Option<Transport>,
    /// Whether we dialled.
    pub(super) we_dialled: Option<bool>,
}

#[derive(Debug)]
pub(super) struct Cell {
    pub(super) torrent: Computed,
    pub(super) client: &'static str,
    pub(super) their_policy: Policy,
    pub(super) our_policy: Policy,
    pub(super) transport: Transport,
    pub(super) we_dial: bool,
    /// What we say, and what they say.
    pub(super) ours: Option<Seen>,
    pub(super) theirs: Option<Seen>,
    /// Whether each side has the other's part.
    we_have: bool,
    they_have: bool,
}

/// All cells of a client, by the info-hash of their torrent.
pub(super) fn cells_with(name: &str) -> BTreeMap<String, Cell> {
    let mut cells = BTreeMap::new();
    for client in CLIENTS.iter().filter(|client| client.name == name) {
        for &their_policy in client.policies {
            for &our_policy in ALL {
                for &transport in client.transports {
                    for we_dial in [true, false] {
                        let number = cells.len() as u64;
                        let torrent = torrent(number);
                        let cell = Cell {
                            client: client.name,
                            their_policy,
                            our_policy,
                            transport,
                            we_dial,
                            torrent,
                            ours: None,
                            theirs: None,
                            we_have: false,
                            they_have: false,
                        };
                        cells.insert(cell.torrent.hex(), cell);
                    }
                }
            }
        }
    }
    cells
}

/// A part that we have, one that they have, and one that nobody has: a side that had all would end
/// the connection before it can be looked at.
fn torrent(number: u64) -> Computed {
    let files = [("ours", PART), ("theirs", PART), ("nobody's", PART)];
    Recipe::folder(&format!("cell {number}"), number, &files, PIECE).build()
}

impl Cell {
    /// Writes the part of one side below its folder.
    pub(super) fn write_part(&self, folder: &Path, ours: bool) {
        let (path, offset, size) = self.part(ours);
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, self.torrent.slice(offset, size)).unwrap();
    }

    fn part(&self, ours: bool) -> (std::path::PathBuf, u64, u64) {
        self.torrent.files().nth(usize::from(!ours)).unwrap()
    }

    /// Looks at the files of both sides, each in its folder below `root`.
    pub(super) fn look(&mut self, root: &Path) {
        if self.ours.is_none() && self.theirs.is_none() {
            return;
        }
        let has = |side: &str, ours: bool| {
            let (path, offset, size) = self.part(ours);
            let path = root.join(side).join(path);
            self.torrent.verify_file(&path, offset, size).is_ok()
        };
        let (we_have, they_have) = (
            self.we_have || has("our data", false),
            self.they_have || has("their data", true),
        );
        (self.we_have, self.they_have) = (we_have, they_have);
    }

    /// Why the two cannot meet, if they cannot.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        let policies = [self.our_policy, self.their_policy];
        let transmission_dials = self.client == "transmission" && !self.we_dial;
        if policies.contains(&Policy::Off) && policies.contains(&Policy::Require) {
            Some(Obstacle::OpposedSettings)
        } else if transmission_dials && policies == [Policy::Require, Policy::Allow] {
            Some(Obstacle::DialsInTheClearOnly)
        } else if transmission_dials
            && policies == [Policy::Off, Policy::Prefer]
            && self.transport == Transport::Utp
        {
            Some(Obstacle::TakesRefusalForMissingUtp)
        } else {
            None
        }
    }

    /// Whether nothing is missing, and nothing is wrong.
    pub(super) fn is_as_expected(&self) -> bool {
        self.complaint().is_none() && (self.obstacle().is_some() || self.theirs.is_some())
    }

    /// What differs from what the settings require.
    pub(super) fn complaint(&self) -> Option<String> {
        let problem = self.problem()?;
        Some(format!(
            "{} ({}), we {} over {:?}, {}: {problem}; we say {:?}, they say {:?}",
            self.client,
            self.their_policy.name(),
            self.our_policy.name(),
            self.transport,
            if self.we_dial { "we dial" } else { "they dial" },
            self.ours,
            self.theirs,
        ))
    }

    fn problem(&self) -> Option<&'static str> {
        let Some(ours) = &self.ours else {
            return self.obstacle().is_none().then_some("they did not meet");
        };
        if self.obstacle().is_some() {
            return Some("they met");
        }
        let encrypted = ours.encrypted.as_deref().unwrap_or_default();
        let [we_require, they_require] =
            [self.our_policy, self.their_policy].map(|policy| policy == Policy::Require);
        let off = [self.our_policy, self.their_policy].contains(&Policy::Off);
        // Where we require it all is encrypted; some clients are content with the handshake.
        if (we_require && encrypted != "rc4")
            || (they_require && encrypted == "no")
            || (off && encrypted != "no")
        {
            return Some("it is not encrypted as required");
        }
        if ours.transport != Some(self.transport) || ours.we_dialled != Some(self.we_dial) {
            return Some("it is another connection");
        }
        if self
            .theirs
            .as_ref()
            .is_some_and(|theirs| !agree(ours, theirs))
        {
            return Some("the two say different things");
        }
        match (self.we_have, self.they_have) {
            (true, true) => None,
            (true, false) => Some("they lack our part"),
            (false, true) => Some("we lack their part"),
            (false, false) => Some("both lack the other's part"),
        }
    }
}

/// Whether nothing that a client says contradicts the other.
fn agree(ours: &Seen, theirs: &Seen) -> bool {
    let encrypted = match (ours.encrypted.as_deref(), theirs.encrypted.as_deref()) {
        (_, None) => true,
        (ours, Some("not rc4")) => ours != Some("rc4"),
        (ours, theirs) => ours == theirs,
    };
    let same = |a: Option<Transport>, b: Option<Transport>| b.is_none() || a == b;
    encrypted
        && same(ours.transport, theirs.transport)
        && (theirs.we_dialled.is_none() || ours.we_dialled == theirs.we_dialled)
}
