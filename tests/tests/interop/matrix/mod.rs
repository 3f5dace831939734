//! Who met whom: Aqueduct with each other client, for each setting of encryption on both sides,
//! over TCP and uTP, whichever side dials. Both sides have a part of each torrent and must complete
//! the other's. What a connection is like is read from both clients' own state.
//!
//! All cells of a client run at the same time, in a network namespace, since Transmission never
//! dials loopback.

mod cell;
mod side;
mod six_clients;
mod table;

use std::thread::sleep;
use std::time::{Duration, Instant};

use aqueduct_tests::namespace;
use tempfile::TempDir;

use self::cell::{Cell, cells_with};

/// The limit for the start of all programs, and for their meeting. Transmission unchokes peers
/// every ten seconds. qBittorrent whose handshake in the clear is refused tries encryption 60 s
/// later.
const LIMIT: Duration = Duration::from_secs(240);
/// How long those that cannot meet are given to show that they do not.
const LEAST: Duration = Duration::from_secs(12);
/// How often the state of the cells is read.
const POLL: Duration = Duration::from_millis(200);

#[test]
fn we_meet_libtorrent_wherever_the_settings_permit() {
    meet(
        "libtorrent",
        "matrix::we_meet_libtorrent_wherever_the_settings_permit",
    );
}

#[test]
fn we_meet_transmission_wherever_the_settings_permit() {
    meet(
        "transmission",
        "matrix::we_meet_transmission_wherever_the_settings_permit",
    );
}

#[test]
fn we_meet_aria2_wherever_the_settings_permit() {
    meet(
        "aria2",
        "matrix::we_meet_aria2_wherever_the_settings_permit",
    );
}

#[test]
fn we_meet_rtorrent_wherever_the_settings_permit() {
    meet(
        "rtorrent",
        "matrix::we_meet_rtorrent_wherever_the_settings_permit",
    );
}

#[test]
fn we_meet_qbittorrent_wherever_the_settings_permit() {
    meet(
        "qbittorrent",
        "matrix::we_meet_qbittorrent_wherever_the_settings_permit",
    );
}

/// Runs all cells of a client. `test` is the path of the calling test.
fn meet(client: &str, test: &str) {
    let mut cells = cells_with(client);
    if namespace::ran_inside_showing(test, &side::addresses(&cells), LIMIT * 2, table::MARK) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let _trackers = side::write(&cells, root);
    // A side that dials finds the other one listening.
    let mut sides = side::start_ours(&cells, root, false);
    sides.extend(side::start_theirs(&cells, root));
    sides.extend(side::start_ours(&cells, root, true));
    sides.iter().for_each(|side| side.read_all(&mut cells));
    let start = Instant::now();
    let goes_on = |elapsed: Duration, cells: &side::Cells| {
        elapsed < LEAST || elapsed < LIMIT && !cells.values().all(Cell::is_as_expected)
    };
    while goes_on(start.elapsed(), &cells) {
        sleep(POLL);
        sides.iter_mut().for_each(|side| side.read(&mut cells));
        cells.values_mut().for_each(|cell| cell.look(root));
    }
    table::write(client, cells.values());
    let wrong: Vec<&Cell> = cells
        .values()
        .filter(|cell| cell.complaint().is_some())
        .collect();
    for cell in &wrong {
        table::explain(cell, &sides);
    }
    assert!(wrong.is_empty(), "{} cells are wrong", wrong.len());
}
