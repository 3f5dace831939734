//! The programs of both sides. Cells whose side has the same settings share a program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use aqueduct_tests::clients::{Observed, observed_client};
use aqueduct_tests::programs::{self, Program};
use aqueduct_tests::tracker::{Options, ReturnedPeers, Tracker};

use super::cell::{CLIENTS, Cell, Seen, Transport};

/// The address of the other clients.
const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::new(11, 0, 0, 1));

pub(super) type Cells = BTreeMap<String, Cell>;

/// A running program.
#[derive(Debug)]
pub(super) struct Side {
    program: Program,
    is_ours: bool,
}

/// All addresses of both sides.
pub(super) fn addresses(cells: &Cells) -> Vec<IpAddr> {
    let ours = cells.values().map(|cell| our_addr(cell).ip());
    let addresses: BTreeSet<IpAddr> = ours.chain([THEIRS]).collect();
    addresses.into_iter().collect()
}

/// Where our program for a cell listens. Each has an address of its own: Transmission closes a
/// second connection from one address while it shakes hands on the first.
fn our_addr(cell: &Cell) -> SocketAddr {
    let number = 8 * u8::from(cell.we_dial) + 4 * cell.transport as u8 + cell.our_policy as u8;
    SocketAddr::from((Ipv4Addr::new(11, 0, 1, number), 7000))
}

/// Where the other client of a cell listens.
fn their_addr(cell: &Cell) -> SocketAddr {
    let client = CLIENTS.iter().position(|client| client.name == cell.client);
    let client = u16::try_from(client.unwrap()).unwrap();
    let number = 8 * client + 4 * u16::from(is_without_utp(cell)) + cell.their_policy as u16;
    SocketAddr::new(THEIRS, 8000 + number)
}

/// Whether uTP is off in the other client. Transmission 3.00, where uTP is on, tries nothing but
/// that: after a refusal it opens a connection over TCP, and closes it at once.
fn is_without_utp(cell: &Cell) -> bool {
    cell.client == "transmission" && cell.transport == Transport::Tcp
}

/// Writes each side's part of the data and its .torrent files. That of the dialling side has a
/// tracker that returns the other side; that of the other side has one that returns nobody, since
/// rtorrent refuses a torrent without a tracker. Returns the trackers, which run until they are
/// dropped.
pub(super) fn write(cells: &Cells, root: &Path) -> Vec<Tracker> {
    let mut trackers = BTreeMap::new();
    for cell in cells.values() {
        let known = if cell.we_dial {
            [Some(their_addr(cell)), None]
        } else {
            [None, Some(our_addr(cell))]
        };
        for (side, known) in ["our", "their"].into_iter().zip(known) {
            let tracker: &Tracker = trackers.entry(known).or_insert_with(|| {
                Tracker::with(Options {
                    knows: ReturnedPeers::Leechers(known.into_iter().collect()),
                    ..Options::default()
                })
            });
            let path = torrent_path(root, side, cell);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, cell.torrent.metainfo(&[tracker.http()])).unwrap();
            cell.write_part(&root.join(format!("{side} data")), side == "our");
        }
    }
    trackers.into_values().collect()
}

fn torrent_path(root: &Path, side: &str, cell: &Cell) -> PathBuf {
    let name = format!("{}.torrent", cell.torrent.hex());
    root.join(format!("{side} torrents")).join(name)
}

/// Groups cells by the program that one side runs for them.
fn grouped(
    cells: &Cells,
    belongs: impl Fn(&Cell) -> bool,
    addr: impl Fn(&Cell) -> SocketAddr,
) -> BTreeMap<SocketAddr, Vec<&Cell>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for cell in cells.values().filter(|cell| belongs(cell)) {
        groups.entry(addr(cell)).or_default().push(cell);
    }
    groups
}

/// Starts our programs that dial, or those that accept, and waits until they listen.
pub(super) fn start_ours(cells: &Cells, root: &Path, dialling: bool) -> Vec<Side> {
    let start = |(addr, cells): (SocketAddr, Vec<&Cell>)| {
        let mut command = Command::new(programs::aqueduct());
        command
            .args(["get", "--json", "-vv", "--no-dht", "--no-lsd", "--no-pex"])
            .args(["--no-port-mapping"])
            .args(["--bind", &addr.ip().to_string()])
            .args(["--port", &addr.port().to_string()])
            .args(["--encryption", cells[0].our_policy.name()])
            .arg(match cells[0].transport {
                Transport::Tcp => "--no-utp",
                Transport::Utp => "--no-tcp",
            })
            .arg("-o")
            .arg(root.join("our data"))
            .args(cells.iter().map(|cell| torrent_path(root, "our", cell)))
            .env(
                "XDG_STATE_HOME",
                root.join(format!("state {}", addr.port())),
            );
        Side {
            program: Program::start(&mut command),
            is_ours: true,
        }
    };
    let groups = grouped(cells, |cell| cell.we_dial == dialling, our_addr);
    let mut sides: Vec<Side> = groups.into_iter().map(start).collect();
    for side in &mut sides {
        side.program.wait_for_line("\"listening\"", super::LIMIT);
    }
    sides
}

/// Starts the other clients, and waits until they have all their torrents.
pub(super) fn start_theirs(cells: &Cells, root: &Path) -> Vec<Side> {
    let start = |(addr, cells): (SocketAddr, Vec<&Cell>)| {
        let torrents: Vec<_> = cells
            .iter()
            .map(|cell| torrent_path(root, "their", cell))
            .collect();
        let more: &[&str] = if is_without_utp(cells[0]) {
            &["--no-utp"]
        } else {
            &[]
        };
        let observed = Observed {
            client: cells[0].client,
            state: &root.join(format!("state {}", addr.port())),
            listen: addr,
            encryption: cells[0].their_policy.name(),
            folder: &root.join("their data"),
            torrents: &torrents,
        };
        Side {
            program: observed_client(&observed, more),
            is_ours: false,
        }
    };
    let groups = grouped(cells, |_| true, their_addr);
    let mut sides: Vec<Side> = groups.into_iter().map(start).collect();
    for side in &mut sides {
        side.program.wait_for_line("\"ready\"", super::LIMIT);
    }
    sides
}

impl Side {
    /// Notes what the program has said of its connections until now. It may have connected before the
    /// line arrived that it was waited for, which comes by another output.
    pub(super) fn read_all(&self, cells: &mut Cells) {
        for line in self.program.lines() {
            self.note(&line, cells);
        }
    }

    /// Notes what the program has said of its connections since the last call.
    pub(super) fn read(&mut self, cells: &mut Cells) {
        while let Some(line) = self.program.next_line() {
            self.note(&line, cells);
        }
    }

    fn note(&self, line: &str, cells: &mut Cells) {
        let said = if self.is_ours { ours } else { theirs };
        let Some((torrent, seen)) = said(line) else {
            return;
        };
        let Some(cell) = cells.get_mut(&torrent) else {
            return;
        };
        if self.is_ours {
            cell.ours = Some(seen);
        } else {
            cell.theirs = Some(seen);
        }
    }

    /// What it has said of a torrent, except how far it is.
    pub(super) fn lines_about(&self, torrent: &str) -> Vec<String> {
        let is_about = |line: &String| line.contains(torrent) && !line.contains("\"progress\"");
        self.program.lines().into_iter().filter(is_about).collect()
    }
}

/// A line of our log about a new connection.
fn ours(line: &str) -> Option<(String, Seen)> {
    let (_, fields) = line.split_once("connected to a peer")?;
    let field = |name: &str| {
        let named = |field: &&str| field.split_once('=').is_some_and(|(key, _)| key == name);
        let field = fields.split_whitespace().find(named)?;
        field.split_once('=').map(|(_, value)| value.to_owned())
    };
    let encrypted = match field("encrypted")?.as_str() {
        "Everything" => "rc4",
        "Handshake" => "handshake",
        _ => "no",
    };
    let seen = Seen {
        encrypted: Some(encrypted.to_owned()),
        transport: field("transport").and_then(|name| transport(&name)),
        we_dialled: field("dialled").map(|dialled| dialled == "true"),
    };
    Some((field("info_hash")?, seen))
}

/// A line of the script that runs another client.
fn theirs(line: &str) -> Option<(String, Seen)> {
    let said: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| said[key].as_str().map(str::to_owned);
    let seen = Seen {
        encrypted: text("encrypted"),
        transport: text("transport").and_then(|name| transport(&name)),
        we_dialled: said["incoming"].as_bool(),
    };
    Some((text("torrent")?, seen))
}

fn transport(name: &str) -> Option<Transport> {
    match name {
        "Tcp" | "tcp" => Some(Transport::Tcp),
        "Utp" | "utp" => Some(Transport::Utp),
        _ => None,
    }
}
