//! Programs under test and beside it, as children that end with the test.

use std::ffi::OsStr;
use std::io::{BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to check its data and announce itself.
pub const START: Duration = Duration::from_secs(90);

/// The terminal program: `AQUEDUCT_BIN`, or the newer build of the workspace's target folder.
///
/// # Panics
/// There is none; says how to make one.
#[must_use]
pub fn aqueduct() -> PathBuf {
    ours("AQUEDUCT_BIN", "aqueduct")
}

/// The bridge: `AQUEDUCT_BRIDGE_BIN`, or the newer build of the workspace's target folder.
///
/// # Panics
/// There is none; says how to make one.
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

/// A program of the system.
///
/// # Panics
/// It is not on the PATH; names the package that has it.
#[must_use]
pub fn system(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found
        .unwrap_or_else(|| panic!("{name} is missing: install it with `apt-get install {package}`"))
}

/// A port of loopback that was free a moment ago, over TCP and UDP, for programs that cannot choose
/// one themselves.
///
/// # Panics
/// There is none.
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

/// A child process whose lines on both outputs can be waited for; it is killed when this is
/// dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    /// All lines so far, for whoever must tell why a test failed.
    pub said: Vec<String>,
}

impl Program {
    /// Starts it with no input.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Self {
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
        let (sender, lines) = mpsc::channel();
        forward(child.stdout.take().unwrap(), sender.clone());
        forward(child.stderr.take().unwrap(), sender);
        Self {
            name,
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for a line that contains `text`.
    ///
    /// # Panics
    /// It did not come within `limit`, or the program ended; shows what it said.
    pub fn wait_for_line(&mut self, text: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!(
                    "{} did not say {text:?} within {limit:?}{}",
                    self.name,
                    self.told()
                ),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended before it said {text:?}{}", self.name, self.told())
                }
            }
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It goes on after `limit`; shows what it said.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.wait_within(limit)
            .unwrap_or_else(|| panic!("{} did not end within {limit:?}{}", self.name, self.told()))
    }

    /// Waits for its end; `None` if it goes on after `limit`.
    ///
    /// # Panics
    /// A child cannot be waited for.
    pub fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said.push(line),
                // Both outputs are closed: the end is near.
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(self.child.wait().expect("a child can be waited for"));
                }
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }

    /// Waits for a good end.
    ///
    /// # Panics
    /// It goes on after `limit` or fails; shows what it said.
    pub fn wait_for_success(&mut self, limit: Duration) {
        let status = self.wait(limit);
        assert!(
            status.success(),
            "{} ended with {status}{}",
            self.name,
            self.told()
        );
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, as `kill` knows it.
    ///
    /// # Panics
    /// There is no such signal, or no such process.
    pub fn signal(&self, name: &str) {
        // A shell has `kill` built in; the program of that name is not everywhere.
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

    /// Its last lines.
    #[must_use]
    pub fn told(&self) -> String {
        let last = self.said.len().saturating_sub(30);
        self.said[last..]
            .iter()
            .fold("; it said:".to_owned(), |text, line| text + "\n  " + line)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            self.said.extend(self.lines.try_iter());
            eprintln!("{}{}", self.name, self.told());
        }
    }
}

fn forward(output: impl Read + Send + 'static, to: mpsc::Sender<String>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(output).bytes().map_while(Result::ok) {
            // Progress bars end their lines with a carriage return alone.
            if !matches!(byte, b'\n' | b'\r') {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
            if !text.is_empty() && to.send(text).is_err() {
                return;
            }
        }
    });
}

/// A command with arguments, written in one line.
#[must_use]
pub fn command(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}
