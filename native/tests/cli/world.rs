//! A user with a folder of files, and the program as a child.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a state folder of its own.
pub(crate) struct World(TempDir);

impl World {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn aqueduct(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_aqueduct"), args)
    }

    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.0.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.aqueduct(args).output().unwrap()
    }

    /// Runs what must succeed; returns its standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs what must fail with this exit code; returns what it printed.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    /// A folder of files with sizes around piece boundaries, and its torrent.
    pub(crate) fn shared(&self) -> String {
        let sizes = [
            ("a.bin", 300_000),
            ("empty", 0),
            ("sub/b.bin", 16_384),
            ("sub/c.txt", 1),
            ("z.bin", 40_000),
        ];
        for (name, size) in sizes {
            self.file(&format!("data/{name}"), size);
        }
        self.ok(&[
            "create",
            "data",
            "-o",
            "data.torrent",
            "--comment",
            "a note",
        ])
    }

    /// One large file and its torrent.
    pub(crate) fn large(&self, size: usize) {
        self.file("large.bin", size);
        self.ok(&["create", "large.bin", "-o", "large.torrent"]);
    }

    pub(crate) fn file(&self, name: &str, size: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes: Vec<u8> = (0..size as u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn same(&self, a: &str, b: &str) -> bool {
        fs::read(self.path(a)).unwrap() == fs::read(self.path(b)).unwrap()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_by(env!("CARGO_BIN_EXE_aqueduct"), args)
    }

    pub(crate) fn start_by(&self, program: &str, args: &[&str]) -> Running {
        let mut child = self
            .command(program, args)
            .arg("--json")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// A seed on a free loopback port; returns it with its address.
    pub(crate) fn seed(&self, torrent: &str) -> (Running, String) {
        self.seed_with(&[torrent])
    }

    pub(crate) fn seed_with(&self, args: &[&str]) -> (Running, String) {
        let alone = [
            "--port",
            "0",
            "--bind",
            "127.0.0.1",
            "--no-trackers",
            "--no-dht",
            "--no-lsd",
        ];
        let mut seed = self.start(&[&["seed"], args, &alone].concat());
        let listening = seed.wait_for(|event| event["event"] == "listening");
        seed.wait_for(|event| event["event"] == "checked");
        (seed, format!("127.0.0.1:{}", listening["port"]))
    }

    /// Arguments of a `get` that knows one peer and nobody else.
    pub(crate) fn from<'a>(peer: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
        [&["get", "--peer", peer], &ALONE[..], rest].concat()
    }
}

pub(crate) const ALONE: [&str; 9] = [
    "--no-trackers",
    "--no-dht",
    "--no-lsd",
    "--port",
    "0",
    "--bind",
    "127.0.0.1",
    "--timeout",
    "20s",
];

/// A program that tells what it does.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(
                self.lines.read_line(&mut seen).unwrap(),
                0,
                "it ended early: {seen}"
            );
            let event: Value = serde_json::from_str(&seen[start..]).unwrap();
            if wanted(&event) {
                return event;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn events(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn event(output: &str, name: &str) -> Value {
    let found = events(output)
        .into_iter()
        .find(|event| event["event"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {output}"))
}
