//! The terminal program as its users and their scripts meet it: arguments in; files, lines and exit codes out.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "in a test a failure is a panic")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a state folder of its own.
struct World(TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn aqueduct(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_aqueduct"), args)
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.0.path()).env("XDG_STATE_HOME", self.path("state")).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.aqueduct(args).output().unwrap()
    }

    /// Runs what must succeed; returns its standard output.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs what must fail with this exit code; returns what it printed.
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    /// A folder of files with sizes around piece boundaries, and its torrent.
    fn shared(&self) -> String {
        let sizes = [("a.bin", 300_000), ("empty", 0), ("sub/b.bin", 16_384), ("sub/c.txt", 1), ("z.bin", 40_000)];
        for (name, size) in sizes {
            self.file(&format!("data/{name}"), size);
        }
        self.ok(&["create", "data", "-o", "data.torrent", "--comment", "a note"])
    }

    /// One large file and its torrent.
    fn large(&self, size: usize) {
        self.file("large.bin", size);
        self.ok(&["create", "large.bin", "-o", "large.torrent"]);
    }

    fn file(&self, name: &str, size: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes: Vec<u8> = (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        fs::write(path, bytes).unwrap();
    }

    fn same(&self, a: &str, b: &str) -> bool {
        fs::read(self.path(a)).unwrap() == fs::read(self.path(b)).unwrap()
    }

    fn start(&self, args: &[&str]) -> Running {
        self.start_by(env!("CARGO_BIN_EXE_aqueduct"), args)
    }

    fn start_by(&self, program: &str, args: &[&str]) -> Running {
        let mut child = self.command(program, args).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// A seed on a free loopback port; returns it with its address.
    fn seed(&self, torrent: &str) -> (Running, String) {
        self.seed_with(&[torrent])
    }

    fn seed_with(&self, args: &[&str]) -> (Running, String) {
        let alone = ["--port", "0", "--bind", "127.0.0.1", "--no-trackers", "--no-dht", "--no-lsd"];
        let mut seed = self.start(&[&["seed"], args, &alone].concat());
        let listening = seed.wait_for(|event| event["event"] == "listening");
        seed.wait_for(|event| event["event"] == "checked");
        (seed, format!("127.0.0.1:{}", listening["port"]))
    }

    /// Arguments of a `get` that knows one peer and nobody else.
    fn from<'a>(peer: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
        [&["get", "--peer", peer], &ALONE[..], rest].concat()
    }
}

const ALONE: [&str; 9] = ["--no-trackers", "--no-dht", "--no-lsd", "--port", "0", "--bind", "127.0.0.1", "--timeout", "20s"];

/// A program that tells what it does.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.lines.read_line(&mut seen).unwrap(), 0, "it ended early: {seen}");
            let event: Value = serde_json::from_str(&seen[start..]).unwrap();
            if wanted(&event) {
                return event;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn events(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn event(output: &str, name: &str) -> Value {
    let found = events(output).into_iter().find(|event| event["event"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {output}"))
}

#[test]
fn what_is_created_is_shown_and_verifies() {
    let world = World::new();
    let magnet = world.shared();
    let shown: Value = serde_json::from_str(&world.ok(&["show", "data.torrent", "--json"])).unwrap();
    assert_eq!(shown["name"], "data");
    assert_eq!(shown["total_size"], 356_385);
    assert_eq!(shown["pieces"], 22);
    assert_eq!(shown["magnet"], magnet.trim());
    assert_eq!(shown["info_hash_v2"], Value::Null);
    let paths: Vec<_> = shown["files"].as_array().unwrap().iter().map(|file| file["path"].to_string()).collect();
    assert_eq!(
        paths,
        [r#"["data","a.bin"]"#, r#"["data","empty"]"#, r#"["data","sub","b.bin"]"#, r#"["data","sub","c.txt"]"#, r#"["data","z.bin"]"#]
    );
    let by_magnet: Value = serde_json::from_str(&world.ok(&["show", magnet.trim(), "--json"])).unwrap();
    assert_eq!(by_magnet["info_hash_v1"], shown["info_hash_v1"]);
    assert_eq!(by_magnet["files"], Value::Null);
    world.ok(&["verify", "data.torrent"]);
    world.ok(&["verify", "data.torrent", "data"]);
    fs::rename(world.path("data"), world.path("renamed")).unwrap();
    world.ok(&["verify", "data.torrent", "renamed"]);
    world.fails(6, &["verify", "data.torrent"]);
}

#[test]
fn damage_is_told_by_file_and_piece() {
    let world = World::new();
    world.shared();
    let path = world.path("data/a.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[5 * 16_384] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::remove_file(world.path("data/empty")).unwrap();
    fs::write(world.path("data/z.bin"), b"short").unwrap();
    let said = world.fails(6, &["verify", "data.torrent"]);
    assert!(said.contains("data/a.bin: wrong: piece 5\n"), "{said}");
    assert!(said.contains("data/empty: missing"), "{said}");
    assert!(said.contains("data/z.bin: 5 bytes, 40000 expected: pieces 19-21"), "{said}");
    let said = world.fails(6, &["verify", "data.torrent", "--json"]);
    assert_eq!(event(&said, "mismatch")["pieces"], serde_json::json!([5]));
    assert_eq!(event(&said, "error")["class"], "mismatch");
}

#[test]
fn links_are_neither_shared_nor_followed() {
    let world = World::new();
    world.shared();
    std::os::unix::fs::symlink("/etc/hostname", world.path("data/link")).unwrap();
    let output = world.run(&["create", "data", "-o", "again.torrent"]);
    assert!(text(&output.stderr).contains("leaving out"));
    assert!(!world.ok(&["show", "again.torrent"]).contains("link"));

    let (_seed, peer) = world.seed("data.torrent");
    fs::create_dir_all(world.path("outside")).unwrap();
    fs::create_dir_all(world.path("trap")).unwrap();
    std::os::unix::fs::symlink(world.path("outside"), world.path("trap/data")).unwrap();
    let said = world.fails(5, &World::from(&peer, &["data.torrent", "-o", "trap"]));
    assert!(said.contains("move it away"), "{said}");
    assert_eq!(fs::read_dir(world.path("outside")).unwrap().count(), 0);
}

#[test]
fn what_is_no_torrent_has_an_exit_code_and_a_class_of_its_own() {
    let world = World::new();
    let deep = [&b"d4:info"[..], &[b'l'; 1000]].concat();
    let hostile = [&b""[..], b"<html>", b"de", b"d4:infodee", b"d4:infoi1ee", b"d4:info99999999999:x", &deep];
    for (n, bytes) in hostile.iter().enumerate() {
        fs::write(world.path("bad.torrent"), bytes).unwrap();
        for command in [&["show", "bad.torrent"][..], &["get", "bad.torrent"], &["verify", "bad.torrent"], &["seed", "bad.torrent"]] {
            world.fails(3, command);
            let said = world.fails(3, &[command, &["--json"]].concat());
            assert_eq!(event(&said, "error")["class"], "invalid_torrent", "{n}");
        }
    }
    world.fails(3, &["show", "magnet:?xt=urn:btih:xyz"]);
    world.fails(3, &["get", "magnet:?dn=nothing"]);
}

#[test]
fn a_list_of_files_is_json_where_that_is_asked_for_and_nothing_is_downloaded() {
    let world = World::new();
    let link = world.shared();
    let listed = |said: &str| event(said, "files")["files"].as_array().unwrap().len();
    assert_eq!(listed(&world.ok(&["get", "data.torrent", "--list", "--json"])), 5);
    assert_eq!(listed(&world.ok(&["seed", "data.torrent", "--list", "--json"])), 5);
    let (_seed, peer) = world.seed("data.torrent");
    world.large(20_000);
    let both = World::from(&peer, &[link.trim(), "large.torrent", "-o", "out", "--list", "--json"]);
    let said = world.ok(&both);
    assert_eq!(events(&said).iter().filter(|event| event["event"] == "files").count(), 2, "{said}");
    world.ok(&World::from(&peer, &[link.trim(), "-o", "again"]));
    let known = world.ok(&World::from("127.0.0.1:1", &[link.trim(), "-o", "again", "--list", "--json"]));
    assert_eq!(listed(&known), 5);
    assert!(!world.path("out/large.bin").exists() && !world.path("out/data").exists());
}

#[test]
fn one_torrent_named_twice_is_a_mistake_of_the_command_line() {
    let world = World::new();
    let link = world.shared();
    let said = world.fails(2, &["get", "data.torrent", link.trim()]);
    assert!(said.contains("two of the 2 sources are the same torrent"), "{said}");
}

/// Two torrents of one name: `data` twice, with other content the second time. Returns seeds of both, and where they are.
fn rivals(world: &World) -> [(Running, String); 2] {
    world.shared();
    let first = world.seed("data.torrent");
    fs::create_dir_all(world.path("rival/data")).unwrap();
    fs::write(world.path("rival/data/a.bin"), vec![5; 300_000]).unwrap();
    world.ok(&["create", "rival/data", "-o", "rival.torrent", "--piece-length", "16K"]);
    let second = world.seed_with(&["rival.torrent", "rival"]);
    [first, second]
}

#[test]
fn two_torrents_that_would_write_one_file_are_not_both_downloaded() {
    let world = World::new();
    let [(_a, first), (_b, second)] = rivals(&world);
    let said = world.fails(2, &World::from(&first, &["--peer", &second, "data.torrent", "rival.torrent", "-o", "out"]));
    assert!(said.contains("out/data/a.bin is a file of another of the torrents, too"), "{said}");
    assert!(said.contains("1 of 2 torrents failed"), "{said}");
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn what_another_torrent_overwrote_is_not_taken_for_ours() {
    let world = World::new();
    let [(_a, first), (_b, second)] = rivals(&world);
    for _ in 0..2 {
        world.ok(&World::from(&first, &["data.torrent", "-o", "out"]));
        world.ok(&["verify", "data.torrent", "out"]);
        world.ok(&World::from(&second, &["rival.torrent", "-o", "out"]));
        world.ok(&["verify", "rival.torrent", "out"]);
    }
}

#[test]
fn an_edit_that_left_no_trace_is_found_out() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    let path = world.path("out/data/a.bin");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, vec![7; 300_000]).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let said = world.ok(&World::from(&peer, &["data.torrent", "-o", "out", "--json"]));
    assert_eq!(event(&said, "checked")["have"], 3, "all of the file was read: {said}");
    assert!(world.same("data/a.bin", "out/data/a.bin"));
}

#[test]
fn a_file_that_grew_is_cut_back() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    fs::File::options().append(true).open(world.path("out/data/z.bin")).unwrap().write_all(b"more").unwrap();
    world.ok(&World::from(&peer, &["data.torrent", "-o", "out"]));
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn what_is_wrong_with_one_of_several_sources_does_not_hold_up_the_others() {
    let world = World::new();
    world.shared();
    fs::write(world.path("bad.torrent"), "<html>").unwrap();
    let (_seed, peer) = world.seed("data.torrent");
    let said = world.fails(3, &World::from(&peer, &["bad.torrent", "data.torrent", "missing.torrent", "-o", "out", "--json"]));
    let classes: Vec<_> = events(&said).iter().filter(|event| event["event"] == "error").map(|event| event["class"].clone()).collect();
    assert_eq!(classes, ["invalid_torrent", "failure", "invalid_torrent"], "{said}");
    assert!(said.contains("2 of 3 torrents failed"), "{said}");
    world.ok(&["verify", "data.torrent", "out"]);
}

#[test]
fn a_folder_is_known_again_by_another_name() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    fs::create_dir(world.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere"), world.path("link")).unwrap();
    world.ok(&World::from(&peer, &["data.torrent", "-o", "link/new"]));
    let again = world.ok(&[&["get", "data.torrent", "-o", "data/../elsewhere/new", "--json"], &ALONE[..]].concat());
    assert!(event(&again, "checked")["read"].as_u64().unwrap() <= 5 * 16_384, "{again}");
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let world = World::new();
    world.shared();
    for command in [&["show", "data.torrent"][..], &["completions", "bash"], &["man"], &["verify", "data.torrent"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = world.aqueduct(command).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(text(&output.stderr).contains("could not write to standard output"), "{command:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_state_folder_that_cannot_be_used_is_told_as_that() {
    let world = World::new();
    world.shared();
    let output = world.aqueduct(&["get", "data.torrent"]).env("XDG_STATE_HOME", world.path("data.torrent")).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("set XDG_STATE_HOME to a folder that you may write to"), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_shared_is_told_before_anything_is_read() {
    let world = World::new();
    world.shared();
    let said = world.fails(2, &["create", "data", "-o", "data"]);
    assert!(said.contains("name the .torrent file"), "{said}");
    assert!(world.fails(2, &["create", "data", "-o", "x.torrent", "--piece-length", "17K"]).contains("17408"));
    assert!(world.fails(5, &["create", "nowhere", "-o", "x.torrent"]).contains("name a file or folder"));
    let said = world.fails(5, &["create", "/dev/null", "-o", "x.torrent"]);
    assert!(said.contains("neither a file nor a folder"), "{said}");
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    let world = World::new();
    let magnet = "magnet:?xt=urn:btih:00112233445566778899aabbccddeeff00112233&dn=%1b%5b2Jevil%e2%80%aefdp";
    let shown = world.ok(&["show", magnet]);
    assert!(shown.contains(r"\u{1b}[2Jevil\u{202e}fdp"), "{shown}");
    assert!(!shown.contains(['\x1b', '\u{202e}']));
}

#[test]
fn the_command_line_is_checked_and_told_in_json_too() {
    let world = World::new();
    for bad in [&["get"][..], &["get", "x", "--download-limit", "fast"], &["get", "x", "--peer", "nowhere"], &["create", "x"], &["fetch"]] {
        world.fails(2, bad);
        assert_eq!(event(&world.fails(2, &[bad, &["--json"]].concat()), "error")["class"], "usage");
    }
    assert!(world.fails(1, &["get", "missing.torrent"]).contains("give a .torrent file"));
    world.ok(&["get", "--help"]);
    assert!(world.ok(&["completions", "bash"]).contains("aqueduct"));
    assert!(world.ok(&["man"]).starts_with(".ie"));
}

#[test]
fn a_download_is_complete_verified_and_known_at_the_next_start() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let said = world.ok(&World::from(&peer, &["data.torrent", "-o", "out", "--json"]));
    let finished = event(&said, "finished");
    assert_eq!(finished["path"], "out/data");
    assert_eq!(finished["info_hash"], event(&said, "metadata")["info_hash"]);
    for file in ["a.bin", "empty", "sub/b.bin", "sub/c.txt", "z.bin"] {
        assert!(world.same(&format!("data/{file}"), &format!("out/data/{file}")), "{file}");
    }
    world.ok(&["verify", "data.torrent", "out"]);
    let again = world.ok(&[&["get", "data.torrent", "-o", "out", "--json"], &ALONE[..]].concat());
    let checked = event(&again, "checked");
    assert_eq!(checked["have"], 22);
    assert!(checked["read"].as_u64().unwrap() <= 5 * 16_384, "{checked}");

    fs::write(world.path("out/data/z.bin"), [9; 40_000]).unwrap();
    let repaired = world.ok(&World::from(&peer, &["data.torrent", "-o", "out", "--json"]));
    assert_eq!(event(&repaired, "checked")["have"], 19);
    assert!(world.same("data/z.bin", "out/data/z.bin"));
}

#[test]
fn a_torrent_comes_from_standard_input_and_only_selected_files_are_complete() {
    let world = World::new();
    world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    assert!(world.ok(&["get", "data.torrent", "--list"]).contains("data/sub/b.bin"));
    let mut get = world.aqueduct(&World::from(&peer, &["-", "-o", "out", "--select", "sub/*"])).stdin(Stdio::piped()).spawn().unwrap();
    get.stdin.take().unwrap().write_all(&fs::read(world.path("data.torrent")).unwrap()).unwrap();
    assert!(get.wait().unwrap().success());
    assert!(world.same("data/sub/b.bin", "out/data/sub/b.bin"));
    assert!(!world.path("out/data/z.bin").exists() || !world.same("data/z.bin", "out/data/z.bin"));
    assert!(world.fails(2, &["get", "data.torrent", "-o", "out", "--select", "*.iso"]).contains("no file matches"));
}

#[test]
fn a_magnet_is_enough_and_its_metadata_are_kept() {
    let world = World::new();
    let magnet = world.shared();
    let (seed, peer) = world.seed("data.torrent");
    let said = world.ok(&World::from(&peer, &[magnet.trim(), "-o", "out", "--json"]));
    assert_eq!(event(&said, "metadata")["name"], "data");
    world.ok(&["verify", "data.torrent", "out"]);
    drop(seed);
    let again = world.ok(&[&["get", magnet.trim(), "-o", "out", "--json"], &ALONE[..]].concat());
    assert_eq!(event(&again, "checked")["have"], 22);
}

#[test]
fn a_link_that_names_a_peer_is_enough_and_so_is_a_bare_hash_with_one() {
    let world = World::new();
    let magnet = world.shared();
    let (_seed, peer) = world.seed("data.torrent");
    let link = format!("{}&x.pe={peer}", magnet.trim());
    world.ok(&[&["get", &link, "-o", "linked"], &ALONE[..]].concat());
    let hash = &magnet["magnet:?xt=urn:btih:".len()..][..40];
    world.ok(&World::from(&peer, &[hash, "-o", "hashed"]));
    for place in ["linked", "hashed"] {
        assert!(world.same("data/a.bin", &format!("{place}/data/a.bin")), "{place}");
    }
}

#[test]
fn a_link_that_selects_files_fetches_these_alone() {
    let world = World::new();
    let link = format!("{}&so=4", world.shared().trim());
    let (_seed, peer) = world.seed("data.torrent");
    world.ok(&World::from(&peer, &[&link, "-o", "out"]));
    assert!(world.same("data/z.bin", "out/data/z.bin"));
    assert!(!world.path("out/data/a.bin").exists() || !world.same("data/a.bin", "out/data/a.bin"));
}

/// BEP 27: the link's peer is good for the metadata. They say that the torrent is private, and then only its trackers' peers and the user's count.
#[test]
fn a_private_torrents_link_is_not_believed_about_peers() {
    let world = World::new();
    world.file("secret.bin", 100_000);
    let magnet = world.ok(&["create", "secret.bin", "-o", "secret.torrent", "--private"]);
    let (_seed, peer) = world.seed("secret.torrent");
    let link = format!("{}&x.pe={peer}", magnet.trim());
    let impatient = ["--timeout", "2s", "--no-trackers", "--no-dht", "--no-lsd", "--port", "0", "--bind", "127.0.0.1", "-o", "out"];
    let said = world.fails(4, &[&["get", &link], &impatient[..]].concat());
    assert!(said.contains("secret.bin"), "it knows the metadata: {said}");
    world.fails(4, &[&["get", &link], &impatient[..]].concat());
    world.ok(&World::from(&peer, &[&link, "-o", "out"]));
}

#[test]
fn a_torrent_of_version_2_alone_is_refused_with_advice() {
    let world = World::new();
    let hash = "ab".repeat(32);
    for source in [format!("magnet:?xt=urn:btmh:1220{hash}"), hash] {
        let said = world.fails(3, &["get", &source]);
        assert!(said.contains("version 2 only") && said.contains("use a v1 or hybrid torrent"), "{said}");
    }
}

#[test]
fn an_interrupted_download_says_so_and_goes_on_where_it_was() {
    let world = World::new();
    world.large(8 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = world.start(&World::from(&peer, &["large.torrent", "-o", "out", "--download-limit", "2M"]));
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    get.signal(Signal::INT);
    let error = get.wait_for(|event| event["event"] == "error");
    assert_eq!(error["class"], "interrupted");
    assert_eq!(get.exit_code(), Some(130));
    let said = world.ok(&World::from(&peer, &["large.torrent", "-o", "out", "--json"]));
    let checked = event(&said, "checked");
    assert!(checked["have"].as_u64().unwrap() > 30, "{checked}");
    assert!(checked["read"].as_u64().unwrap() < 1 << 20, "{checked}");
    assert!(world.same("large.bin", "out/large.bin"));
}

#[test]
fn a_terminal_that_is_gone_interrupts_unless_that_is_to_be_outlived() {
    let world = World::new();
    world.large(8 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = world.start(&World::from(&peer, &["large.torrent", "-o", "out", "--download-limit", "2M"]));
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    get.signal(Signal::HUP);
    assert_eq!(get.wait_for(|event| event["event"] == "error")["class"], "interrupted");
    assert_eq!(get.exit_code(), Some(130));

    let deaf = World::from(&peer, &["large.torrent", "-o", "deaf", "--download-limit", "4M"]);
    let mut get = world.start_by("sh", &[&["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_aqueduct")], &deaf[..]].concat());
    get.wait_for(|event| event["done"].as_u64() > Some(1 << 20));
    get.signal(Signal::HUP);
    get.wait_for(|event| event["event"] == "finished");
    assert_eq!(get.exit_code(), Some(0));
}

#[test]
fn a_killed_download_goes_on_without_reading_everything_again() {
    let world = World::new();
    world.large(32 << 20);
    let (_seed, peer) = world.seed("large.torrent");
    let mut get = world.start(&World::from(&peer, &["large.torrent", "-o", "out", "--download-limit", "2M"]));
    // The first record comes with the first flush, after five seconds.
    get.wait_for(|event| event["event"] == "progress" && has_record(&world.path("state/aqueduct"), 2));
    get.signal(Signal::KILL);
    get.exit_code();
    let said = world.ok(&World::from(&peer, &["large.torrent", "-o", "out", "--json"]));
    let checked = event(&said, "checked");
    assert!(checked["have"].as_u64().unwrap() > 30, "{checked}");
    assert!(checked["read"].as_u64().unwrap() < 1 << 20, "{checked}");
    assert!(world.same("large.bin", "out/large.bin"));
}

/// Whether records of so many torrents and folders were written.
fn has_record(state: &Path, count: usize) -> bool {
    let files = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(|file| file.len() > 0).count() >= count
}

#[test]
fn a_second_process_does_not_write_to_the_same_download() {
    let world = World::new();
    world.shared();
    let (_seed, _) = world.seed("data.torrent");
    let said = world.fails(5, &["seed", "data.torrent", "--port", "0", "--bind", "127.0.0.1", "--no-trackers", "--no-dht", "--no-lsd"]);
    assert!(said.contains("another aqueduct"), "{said}");
}

#[test]
fn storage_that_cannot_be_used_has_an_exit_code_of_its_own() {
    let world = World::new();
    world.shared();
    fs::write(world.path("file"), b"").unwrap();
    let said = world.fails(5, &[&["get", "data.torrent", "-o", "file/below", "--json"], &ALONE[..]].concat());
    assert_eq!(event(&said, "error")["class"], "storage");
    world.fails(5, &["verify", "data.torrent", "nowhere"]);
    world.fails(5, &["create", "nowhere", "-o", "x.torrent"]);
    world.fails(5, &["create", "data", "-o", "nowhere/x.torrent"]);
}

#[test]
fn without_peers_it_gives_up_in_time_and_says_whom_it_asked() {
    let world = World::new();
    world.shared();
    let silent = [
        "get",
        "data.torrent",
        "-o",
        "out",
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--tracker",
        "http://127.0.0.1:1/announce",
        "--no-dht",
        "--no-lsd",
        "--timeout",
        "2s",
    ];
    let said = world.fails(4, &silent);
    assert!(said.contains("asked 1 tracker: 1 failed"), "{said}");
    let said = world.fails(4, &[&silent[..], &["--json"]].concat());
    assert_eq!(event(&said, "error")["class"], "no_peers");
}

#[test]
fn data_that_do_not_match_are_not_seeded() {
    let world = World::new();
    world.shared();
    fs::write(world.path("data/a.bin"), vec![0; 300_000]).unwrap();
    let said = world.fails(6, &["seed", "data.torrent", "--port", "0", "--bind", "127.0.0.1", "--no-trackers", "--no-dht", "--no-lsd"]);
    assert!(said.contains("19 of 22 pieces wrong"), "{said}");
}
