//! What the terminal displays.

use crate::terminal::Terminal;
use crate::world::{ALONE, World};

fn is_finished(line: &str) -> bool {
    line.starts_with("data: finished in") && line.contains("saved to")
}

#[test]
fn a_terminal_without_cursor_control_gets_plain_lines() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    for term in [None, Some("dumb"), Some("")] {
        let out = format!("out-{}", term.unwrap_or("unset"));
        let mut get = world.aqueduct(&World::from(&peer, &["data.torrent", "-o", &out]));
        match term {
            Some(term) => get.env("TERM", term),
            None => get.env_remove("TERM"),
        };
        let mut terminal = Terminal::start(&mut get, 80, 24);
        assert!(terminal.end().success());
        assert!(
            terminal
                .screen
                .has_line(|line| line.starts_with("data: 348.0 KiB, 5 files")),
            "{}",
            terminal.screen.text()
        );
        assert!(
            terminal.screen.has_line(is_finished),
            "{}",
            terminal.screen.text()
        );
        assert!(!terminal.screen.was_steered);
    }
}

#[test]
fn a_row_of_eighty_columns_shows_rate_time_left_and_peers_in_whole_words() {
    let world = World::new();
    world.large(20 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let args = World::from(
        &peer,
        &["large.torrent", "-o", "out", "--download-limit", "600K"],
    );
    let mut terminal = Terminal::start(world.aqueduct(&args).env("TERM", "xterm"), 80, 24);
    terminal.wait_for(|screen| {
        screen.has_line(|line| line.starts_with("large.bin") && line.contains(" left, "))
    });
    let screen = terminal.screen.text();
    let row = screen
        .lines()
        .find(|line| line.contains(" left, "))
        .unwrap();
    assert!(
        row.ends_with(" left, 1 peer") && row.contains(" % of 20.0 MiB, ") && row.contains("/s, "),
        "{row}"
    );
    terminal.interrupt();
    assert_eq!(terminal.end().code(), Some(130));
}

#[test]
fn the_last_line_reports_what_was_finished_and_rows_omit_zero_upload() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let args = World::from(&peer, &["data.torrent", "-o", "out"]);
    let mut terminal = Terminal::start(world.aqueduct(&args).env("TERM", "xterm"), 80, 24);
    assert!(terminal.end().success());
    let screen = terminal.screen.text();
    assert!(
        screen.lines().next_back().is_some_and(is_finished),
        "{screen}"
    );
    assert!(!screen.contains("seeding"), "{screen}");
}

#[test]
fn torrents_that_have_no_row_are_counted() {
    let world = World::new();
    let hashes: Vec<String> = (0..30).map(|n| format!("{n:040x}")).collect();
    let args: Vec<&str> = ["get"]
        .into_iter()
        .chain(hashes.iter().map(String::as_str))
        .chain(ALONE)
        .collect();
    let mut terminal = Terminal::start(world.aqueduct(&args).env("TERM", "xterm"), 80, 10);
    terminal.wait_for(|screen| screen.has_line(|line| line == "and 22 more: 22 connecting"));
    let screen = terminal.screen.text();
    let rows = hashes
        .iter()
        .filter(|hash| screen.contains(&hash[..8]))
        .count();
    assert!(
        rows == 30
            || screen
                .lines()
                .filter(|line| line.starts_with("0000"))
                .count()
                == 8,
        "{screen}"
    );
    terminal.interrupt();
    assert_eq!(terminal.end().code(), Some(130));
}
