//! A user with a folder of files; the program runs as a child process.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use aqueduct_testkit::programs::{Program, START};
use aqueduct_testkit::torrent::noise;
use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder with its own state folder.
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
            .args(without_port_mapping(args))
            .current_dir(self.0.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.aqueduct(args).output().unwrap()
    }

    /// Runs a command that must succeed. Returns its standard output.
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

    /// Runs a command that must fail with this exit code. Returns its output.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    /// Creates a folder of files with sizes around piece boundaries, and its torrent.
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

    /// Creates one large file and its torrent.
    pub(crate) fn large(&self, size: usize) {
        self.file("large.bin", size);
        self.ok(&["create", "large.bin", "-o", "large.torrent"]);
    }

    pub(crate) fn file(&self, name: &str, size: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, noise(size, 1)).unwrap();
    }

    pub(crate) fn same(&self, a: &str, b: &str) -> bool {
        fs::read(self.path(a)).unwrap() == fs::read(self.path(b)).unwrap()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_by(env!("CARGO_BIN_EXE_aqueduct"), args)
    }

    pub(crate) fn start_by(&self, program: &str, args: &[&str]) -> Running {
        Running(Program::start(self.command(program, args).arg("--json")))
    }

    /// Starts a seed on a free loopback port. Returns it and its address.
    pub(crate) fn seed(&self, torrent: &str) -> (Running, String) {
        self.seed_with(&[torrent])
    }

    pub(crate) fn seed_with(&self, args: &[&str]) -> (Running, String) {
        let mut seed = self.start(&[&["seed"], args, &ISOLATED].concat());
        let listening = seed.wait_for(|event| event["event"] == "listening");
        seed.wait_for(|event| event["event"] == "checked");
        (seed, format!("127.0.0.1:{}", listening["port"]))
    }

    /// Arguments of a `get` that uses only this peer.
    pub(crate) fn from<'a>(peer: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
        [&["get", "--peer", peer], &ALONE[..], rest].concat()
    }
}

/// The arguments, so that `get` and `seed` do not ask the gateway of the machine that runs the tests
/// to map their port, wherever they listen.
fn without_port_mapping<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut args = args.to_vec();
    let subcommand = args.iter().position(|arg| ["get", "seed"].contains(arg));
    let decides = |arg: &&str| ["--no-port-mapping", "--port-mapping-gateway"].contains(arg);
    if let Some(at) = subcommand.filter(|_| !args.iter().any(decides)) {
        args.insert(at + 1, "--no-port-mapping");
    }
    args
}

/// Arguments that restrict the program to loopback, trackers and given peers.
pub(crate) const LOCAL: [&str; 6] = ["--no-dht", "--no-lsd", "--port", "0", "--bind", "127.0.0.1"];

/// Arguments that restrict the program to loopback and given peers.
pub(crate) const ISOLATED: [&str; 7] = [
    "--no-trackers",
    LOCAL[0],
    LOCAL[1],
    LOCAL[2],
    LOCAL[3],
    LOCAL[4],
    LOCAL[5],
];

/// [`ISOLATED`] with a timeout for tests that must find a peer.
pub(crate) const ALONE: [&str; 9] = isolated_with_timeout("20s");

/// [`ISOLATED`] with a short timeout, for tests in which no peer has the data.
pub(crate) const IMPATIENT: [&str; 9] = isolated_with_timeout("2s");

const fn isolated_with_timeout(timeout: &str) -> [&str; 9] {
    let [trackers, dht, lsd, port, number, bind, address] = ISOLATED;
    [
        trackers,
        dht,
        lsd,
        port,
        number,
        bind,
        address,
        "--timeout",
        timeout,
    ]
}

/// A running program that prints JSON events.
pub(crate) struct Running(Program);

impl Running {
    pub(crate) const fn of(program: Program) -> Self {
        Self(program)
    }

    /// Waits for the next event that fulfils `wanted`. Events before it are skipped.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.0.wait_for("the event", START, |line| {
            serde_json::from_str(line).ok().filter(&wanted)
        })
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.0.signal(name);
    }

    /// Waits until the program exits.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.0.wait(START).code()
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
