//! The matrix as text.

use super::cell::{CLIENTS, Cell, Obstacle, Policy, Transport};
use super::side::Side;

/// The start of every line of the table.
pub(super) const MARK: &str = "| ";
const OURS: [Policy; 3] = [Policy::Off, Policy::Allow, Policy::Require];

/// Prints the table of a client. In each cell stands how a connection is encrypted as both clients
/// see it, or why there is none. Where there is one, both sides have exchanged their parts.
pub(super) fn write<'a>(client: &str, cells: impl Iterator<Item = &'a Cell> + Clone) {
    let head = OURS.map(|policy| format!("{:<24}", format!("we {}", policy.name())));
    println!("{MARK}{:<34}{}", "", head.concat().trim_end());
    let directions = format!("{:<12}{:<12}", "we dial", "they dial").repeat(3);
    println!("{MARK}{:<34}{}", "", directions.trim_end());
    let rows = CLIENTS
        .iter()
        .filter(|other| other.name == client)
        .flat_map(|other| other.policies)
        .flat_map(|policy| [(*policy, Transport::Tcp), (*policy, Transport::Utp)]);
    for (policy, transport) in rows {
        let of_row = |cell: &&Cell| (cell.their_policy, cell.transport) == (policy, transport);
        let row: Vec<&Cell> = cells.clone().filter(of_row).collect();
        if !row.is_empty() {
            line(client, policy, transport, &row);
        }
    }
    let met = cells.clone().filter(|cell| cell.ours.is_some()).count();
    println!("{MARK}{met} of {} met", cells.clone().count());
    for obstacle in Obstacle::ALL {
        if cells.clone().any(|cell| cell.obstacle() == Some(obstacle)) {
            println!("{MARK}{}: {}", obstacle.mark(), obstacle.reason());
        }
    }
    if cells
        .clone()
        .any(|cell| cell.ours.is_some() && !tells_encryption(cell))
    {
        println!("{MARK}?: our side alone says how it is encrypted");
    }
}

/// Whether the other client says how the connection is encrypted.
fn tells_encryption(cell: &Cell) -> bool {
    cell.theirs
        .as_ref()
        .is_some_and(|theirs| theirs.encrypted.is_some())
}

/// What is wrong with a cell, and what both sides have said of its torrent.
pub(super) fn explain(cell: &Cell, sides: &[Side]) {
    println!("{MARK}{}", cell.complaint().unwrap_or_default());
    let torrent = cell.torrent.hex();
    for line in sides.iter().flat_map(|side| side.lines_about(&torrent)) {
        println!("{MARK}  {line}");
    }
}

fn line(client: &str, policy: Policy, transport: Transport, row: &[&Cell]) {
    let mut text = format!("{client} ({})", policy.name());
    text = format!("{MARK}{text:<29}{:<5}", format!("{transport:?}"));
    for our_policy in OURS {
        for we_dial in [true, false] {
            let cell = row
                .iter()
                .find(|cell| cell.our_policy == our_policy && cell.we_dial == we_dial);
            text += &format!("{:<12}", cell.map_or(String::new(), |cell| said(cell)));
        }
    }
    println!("{}", text.trim_end());
}

/// A cell's text. A `!` says that it is not as it should be.
fn said(cell: &Cell) -> String {
    let wrong = if cell.complaint().is_some() { "!" } else { "" };
    let Some(ours) = &cell.ours else {
        let mark = cell.obstacle().map_or("none", Obstacle::mark);
        return format!("{mark}{wrong}");
    };
    let encrypted = match ours.encrypted.as_deref() {
        Some("no") => "clear",
        Some(other) => other,
        None => "?",
    };
    let unconfirmed = if tells_encryption(cell) { "" } else { "?" };
    format!("{encrypted}{unconfirmed}{wrong}")
}
