//! Signals, and a reader of the output that goes away.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use aqueduct_testkit::programs::{Program, START};

use crate::world::{Running, World, event, events, text};

/// The command of a slow download of a file of 8 MiB.
fn slow_download(world: &World, peer: &str) -> Command {
    let mut command = world.aqueduct(&World::from(
        peer,
        &["large.torrent", "-o", "out", "--download-limit", "2M"],
    ));
    command.arg("--json");
    command
}

/// Asserts that a download was saved when it ended: it resumes where it was, and reads little.
fn assert_saved(world: &World, peer: &str) {
    let said = world.ok(&World::from(
        peer,
        &["large.torrent", "-o", "out", "--json"],
    ));
    let checked = event(&said, "checked");
    assert!(checked["have"].as_u64().unwrap() > 30, "{checked}");
    assert!(checked["read"].as_u64().unwrap() < 1 << 20, "{checked}");
    assert!(world.same("large.bin", "out/large.bin"));
}

fn kill(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_signal_and_its_copy_save_the_download() {
    let world = World::new();
    world.large(8 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = Running::of(Program::start(&mut slow_download(&world, &peer)));
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    // As `timeout` does, and a service manager that stops a session.
    get.signal("TERM");
    get.signal("HUP");
    get.signal("TERM");
    assert_eq!(
        get.wait_for(|event| event["event"] == "error")["class"],
        "interrupted"
    );
    assert_eq!(get.exit_code(), Some(130));
    assert_saved(&world, &peer);
}

#[test]
fn a_download_whose_output_is_no_longer_read_is_saved() {
    let world = World::new();
    world.large(8 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = slow_download(&world, &peer)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = get.stdout.take().unwrap();
    let mut said = String::new();
    let mut chunk = [0; 4096];
    while !said
        .rsplit_once('\n')
        .is_some_and(|(lines, _)| has_progress(lines))
    {
        let length = output.read(&mut chunk).unwrap();
        said += std::str::from_utf8(&chunk[..length]).unwrap();
    }
    drop(output);
    let ended = get.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(text(&ended.stderr), "");
    assert_saved(&world, &peer);
}

/// Whether more than a mebibyte is done.
fn has_progress(lines: &str) -> bool {
    let events = events(lines);
    events
        .iter()
        .any(|event| event["done"].as_u64() > Some(1 << 20))
}

#[test]
fn every_command_that_is_interrupted_says_so_and_ends_with_the_code_of_interrupts() {
    let world = World::new();
    world.large(1 << 20);
    // A source that never ends, and a server that never answers.
    let pipe = world.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/announce", silent.local_addr().unwrap());
    for args in [
        &["show", "pipe", "--json"][..],
        &["verify", "pipe", "--json"],
        &["get", "pipe", "--json"],
        &["seed", "pipe", "--json"],
        &["show", &url, "--json"],
        &["get", &url, "--json", "--no-dht", "--no-lsd"],
    ] {
        let mut command = world.aqueduct(args);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        wait_until_signals_are_caught(&child);
        kill(&child, "INT");
        let ended = child.wait_with_output().unwrap();
        assert_eq!(
            ended.status.code(),
            Some(130),
            "{args:?}: {:?}",
            ended.status.signal()
        );
        let said = event(&text(&ended.stdout), "error");
        assert_eq!(said["class"], "interrupted", "{args:?}");
    }
}

/// Waits until a program has a handler for SIGINT, the second bit of the mask in hex (proc(5)).
fn wait_until_signals_are_caught(child: &Child) {
    let catches = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & 2 != 0
    };
    let deadline = Instant::now() + START;
    while !catches() {
        assert!(Instant::now() < deadline, "it has no handler for SIGINT");
        std::thread::yield_now();
    }
}
