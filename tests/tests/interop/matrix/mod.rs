//! Who met whom: Aqueduct with each other client, for each setting of encryption on both sides,
//! over TCP and uTP, whichever side dials. Both sides have a part of each torrent and must complete
//! the other's. What a connection is like is read from both clients' own state.
//!
//! All runs at the same time, in a network namespace, since Transmission never dials loopback.

mod cell;
mod side;
mod six_clients;
mod table;

use std::thread::sleep;
use std::time::{Duration, Instant};

use aqueduct_tests::namespace;
use tempfile::TempDir;

use self::cell::{Cell, cells};

/// The limit for the whole matrix. Clients unchoke peers at intervals of up to ten seconds, and
/// some try encryption or uTP twice before they try the other.
const LIMIT: Duration = Duration::from_secs(90);
/// How often the state of the cells is read.
const POLL: Duration = Duration::from_millis(200);

#[test]
fn the_matrix_of_clients_and_encryption_and_transports_and_directions_is_full() {
    const NAME: &str =
        "matrix::the_matrix_of_clients_and_encryption_and_transports_and_directions_is_full";
    let mut cells = cells();
    if let Some(lines) = namespace::lines_inside(NAME, &side::addresses(&cells), LIMIT * 2) {
        return table::print(&lines);
    }
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let _trackers = side::write(&cells, root);
    // A side that dials finds the other one listening.
    let mut sides = side::start_ours(&cells, root, false);
    sides.extend(side::start_theirs(&cells, root));
    sides.extend(side::start_ours(&cells, root, true));
    let start = Instant::now();
    while start.elapsed() < LIMIT && !cells.values().all(Cell::is_as_expected) {
        sleep(POLL);
        sides.iter_mut().for_each(|side| side.read(&mut cells));
        cells.values_mut().for_each(|cell| cell.look(root));
    }
    table::write(cells.values(), start.elapsed());
    let wrong: Vec<String> = cells.values().filter_map(Cell::complaint).collect();
    if !wrong.is_empty() {
        sides.iter().for_each(|side| println!("{}", side.told()));
        panic!("{}", wrong.join("\n"));
    }
}
