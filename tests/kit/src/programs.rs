//! Child processes that end with the test.

use std::ffi::OsStr;
use std::io::{BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::journal::{Journal, Silence, Writer};
use crate::namespace::{INSIDE, is_inside};
use crate::{process, soon};

/// The limit for a program to check its data and to announce itself.
pub const START: Duration = Duration::from_secs(90);

/// The path of the terminal program: `AQUEDUCT_BIN`, or the newer build in the workspace's target
/// directory.
///
/// # Panics
/// There is none; the message says how to build it.
#[must_use]
pub fn aqueduct() -> PathBuf {
    ours("AQUEDUCT_BIN", "aqueduct")
}

/// The path of the bridge: `AQUEDUCT_BRIDGE_BIN`, or the newer build in the workspace's target
/// directory.
///
/// # Panics
/// There is none; the message says how to build it.
#[must_use]
pub fn bridge() -> PathBuf {
    ours("AQUEDUCT_BRIDGE_BIN", "aqueduct-bridge")
}

fn ours(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "{variable} names {}, which does not exist",
            path.display()
        );
        return path;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    let built = ["release", "debug"].map(|profile| target.join(profile).join(name));
    let age = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok();
    let newest = built
        .into_iter()
        .filter(|path| path.is_file())
        .max_by_key(age);
    newest.unwrap_or_else(|| {
        panic!("{name} is not built: run `cargo xtask build`, or set {variable}")
    })
}

/// The path of a program of the system.
///
/// # Panics
/// It is not on the PATH; the message names the package that contains it.
#[must_use]
pub fn system(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found
        .unwrap_or_else(|| panic!("{name} is missing: install it with `apt-get install {package}`"))
}

/// A port of loopback that was free for TCP and UDP when this was called, for programs that cannot
/// choose one themselves.
///
/// # Panics
/// No port is free.
#[must_use]
pub fn free_port() -> u16 {
    let free = |_| {
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .ok()?;
        UdpSocket::bind(addr).is_ok().then(|| addr.port())
    };
    (0..20).find_map(free).expect("a free port")
}

/// A child process whose lines on both outputs can be waited for. It is killed when this is
/// dropped. If the test fails, its last lines are printed.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Journal<String>,
    /// The number of lines that have been returned or skipped.
    read: usize,
}

impl Program {
    /// Starts the command with no standard input.
    ///
    /// # Panics
    /// It cannot be started, or is our terminal program and would ask the gateway of this machine
    /// to map its port.
    pub fn start(command: &mut Command) -> Self {
        asks_no_gateway(command);
        let name = Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        let (lines, writer) = Journal::new();
        forward(child.stdout.take().unwrap(), writer.clone());
        forward(child.stderr.take().unwrap(), writer);
        Self {
            name,
            child,
            lines,
            read: 0,
        }
    }

    /// Blocks until a line contains `text`. Lines before it count as read.
    ///
    /// # Panics
    /// No such line within `limit`, or the program ended; the message includes its output.
    pub fn wait_for_line(&mut self, text: &str, limit: Duration) -> String {
        self.wait_for(text, limit, |line| {
            line.contains(text).then(|| line.to_owned())
        })
    }

    /// Blocks until `pick` returns something for a line. Lines before it count as read.
    ///
    /// # Panics
    /// No such line within `limit`, or the program ended; the message includes its output.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.wait(self.read, deadline) {
                Ok(line) => {
                    self.read += 1;
                    if let Some(picked) = pick(&line) {
                        return picked;
                    }
                }
                Err(Silence::Timeout) => panic!(
                    "{} did not print {what:?} within {limit:?}{}",
                    self.name,
                    self.told()
                ),
                Err(Silence::Ended) => panic!(
                    "{} ended before it printed {what:?}{}",
                    self.name,
                    self.told()
                ),
            }
        }
    }

    /// The next line that was not returned or skipped, if there is one.
    pub fn next_line(&mut self) -> Option<String> {
        let line = self.lines.wait(self.read, Instant::now()).ok()?;
        self.read += 1;
        Some(line)
    }

    /// Waits for the next line that contains `text`. Lines before it count as read.
    ///
    /// # Panics
    /// No such line within [`crate::PATIENCE`], or the program ended; the message includes its
    /// output.
    pub async fn line(&mut self, text: &str) -> String {
        loop {
            let line = soon(text, self.lines.entry(self.read)).await;
            let line = line.unwrap_or_else(|| {
                panic!(
                    "{} ended before it printed {text:?}{}",
                    self.name,
                    self.told()
                )
            });
            self.read += 1;
            if line.contains(text) {
                return line;
            }
        }
    }

    /// All lines so far, read or not. Complete once the program has been waited for.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.all()
    }

    /// Blocks until the program exits.
    ///
    /// # Panics
    /// It still runs after `limit`; the message includes its output.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.wait_within(limit)
            .unwrap_or_else(|| panic!("{} did not end within {limit:?}{}", self.name, self.told()))
    }

    /// Blocks until the program exits. `None` if it still runs after `limit`.
    ///
    /// # Panics
    /// Waiting for the child fails.
    pub fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.wait(self.read, deadline) {
                Ok(_) => self.read += 1,
                // Both outputs are closed, so the program is about to exit.
                Err(Silence::Ended) => {
                    return Some(self.child.wait().expect("a child can be waited for"));
                }
                Err(Silence::Timeout) => return None,
            }
        }
    }

    /// Waits for the program to exit.
    ///
    /// # Panics
    /// It does not end within [`crate::PATIENCE`].
    pub async fn ended(&mut self) -> ExitStatus {
        while soon("the end", self.lines.entry(self.read)).await.is_some() {
            self.read += 1;
        }
        self.child.wait().expect("a child can be waited for")
    }

    /// Blocks until the program exits, and requires success.
    ///
    /// # Panics
    /// It still runs after `limit`, or fails; the message includes its output.
    pub fn wait_for_success(&mut self, limit: Duration) {
        let status = self.wait(limit);
        assert!(
            status.success(),
            "{} ended with {status}{}",
            self.name,
            self.told()
        );
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory of the process, in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        process::resident(self.id())
    }

    /// The number of threads of the process.
    #[must_use]
    pub fn threads(&self) -> usize {
        process::threads(self.id())
    }

    /// Processor time that the process has used so far.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        process::cpu(self.id())
    }

    /// Sends a signal, by its name as `kill` knows it.
    ///
    /// # Panics
    /// There is no such signal, or no such process.
    pub fn signal(&self, name: &str) {
        // `kill` is a builtin of every shell; the separate program is not installed everywhere.
        let done = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.id()))
            .status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "kill -{name} {} failed",
            self.name
        );
    }

    /// The last lines of output, for the message of a failing test.
    #[must_use]
    pub fn told(&self) -> String {
        let lines = self.lines();
        let last = lines.len().saturating_sub(30);
        lines[last..]
            .iter()
            .fold("; it printed:".to_owned(), |text, line| {
                text + "\n  " + line
            })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have exited already.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("{}{}", self.name, self.told());
        }
    }
}

fn forward(output: impl Read + Send + 'static, to: Writer<String>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(output).bytes().map_while(Result::ok) {
            // Progress bars end their lines with a carriage return only.
            if !matches!(byte, b'\n' | b'\r') {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
            if !text.is_empty() {
                to.push(text);
            }
        }
    });
}

/// Checks that our terminal program, if the command starts it, leaves the gateway of the machine
/// that runs the tests alone.
fn asks_no_gateway(command: &Command) {
    let words: Vec<&OsStr> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .collect();
    let serves = words.windows(2).any(|pair| {
        let is_ours = Path::new(pair[0]).file_name() == Some(OsStr::new("aqueduct"));
        is_ours && (pair[1] == "get" || pair[1] == "seed")
    });
    let is_spared = words.iter().enumerate().any(|(at, word)| {
        let next = words.get(at + 1).map(|word| word.to_string_lossy());
        let is_loopback = next.and_then(|next| next.parse::<IpAddr>().ok());
        let is_loopback = is_loopback.is_some_and(|ip| ip.is_loopback());
        *word == "--no-port-mapping"
            || *word == "--proxy"
            || is_loopback && (*word == "--bind" || *word == "--port-mapping-gateway")
    });
    let runs_inside = command.get_envs().any(|(name, _)| name == INSIDE);
    assert!(
        !serves || is_spared || is_inside() || runs_inside,
        "a test must not ask a real gateway: give {words:?} --no-port-mapping, or --bind with an address of loopback"
    );
}

/// Builds a command with arguments in one expression.
#[must_use]
pub fn command(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
