//! The matrix as text.

use std::io::Write as _;
use std::time::Duration;

use super::cell::{CLIENTS, Cell, Policy, Transport};

/// The start of every line of the table.
const MARK: &str = "| ";
const OURS: [Policy; 3] = [Policy::Off, Policy::Allow, Policy::Require];

/// Prints the table among the lines of the test's run in the namespace. Not with `println`: the
/// table of a test that passes is to be seen, too.
pub(super) fn print(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines.iter().filter(|line| line.starts_with(MARK)) {
        writeln!(out, "{line}").unwrap();
    }
}

pub(super) fn write<'a>(cells: impl Iterator<Item = &'a Cell> + Clone, took: Duration) {
    println!(
        "{MARK}Who met whom, as both clients' own state shows it. rc4: all is encrypted; handshake: only"
    );
    println!(
        "{MARK}the handshake is; clear: nothing is. `?`: only our state shows it, theirs does not tell."
    );
    println!(
        "{MARK}-: the settings exclude each other, and they did not meet. `!`: something is wrong."
    );
    println!("{MARK}In all others both sides completed what only the other one had.");
    let head = OURS.map(|policy| format!("{:<24}", format!("we {}", policy.name())));
    println!("{MARK}{:<34}{}", "", head.concat());
    let directions = format!("{:<12}{:<12}", "we dial", "they dial").repeat(3);
    println!("{MARK}{:<34}{directions}", "");
    for client in &CLIENTS {
        for &policy in client.policies {
            for transport in [Transport::Tcp, Transport::Utp] {
                let of_row = |cell: &&Cell| {
                    (cell.client, cell.their_policy, cell.transport)
                        == (client.name, policy, transport)
                };
                let row: Vec<&Cell> = cells.clone().filter(of_row).collect();
                if !row.is_empty() {
                    line(client.name, policy, transport, &row);
                }
            }
        }
    }
    let met = cells.clone().filter(|cell| cell.ours.is_some()).count();
    println!(
        "{MARK}{} cells, {met} met, in {:.0} s",
        cells.count(),
        took.as_secs_f64()
    );
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

fn said(cell: &Cell) -> String {
    let wrong = if cell.complaint().is_some() { "!" } else { "" };
    let Some(ours) = &cell.ours else {
        return format!("-{wrong}");
    };
    let encrypted = match ours.encrypted.as_deref() {
        Some("no") => "clear",
        Some(other) => other,
        None => "?",
    };
    let theirs = cell.theirs.as_ref();
    let tells = theirs.is_some_and(|theirs| theirs.encrypted.is_some());
    format!("{encrypted}{}{wrong}", if tells { "" } else { "?" })
}
