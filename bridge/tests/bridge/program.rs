//! The program itself, with flags, signals and a log.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::support::soon;

/// Its path.
pub(crate) const PATH: &str = env!("CARGO_BIN_EXE_aqueduct-bridge");
/// Nothing beyond loopback, and ports of the system's choice.
const LOCAL: [&str; 7] = [
    "--peer-port",
    "0",
    "--peer-bind",
    "127.0.0.1",
    "--allow",
    "127.0.0.1/32",
    "--no-dht",
];

/// A running bridge; killed when dropped.
pub(crate) struct Program {
    pub(crate) addr: SocketAddr,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// Its log so far.
    pub(crate) said: Vec<String>,
}

impl Program {
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::launch(
            Command::new(PATH)
                .args(["--listen", "127.0.0.1:0"])
                .args(flags),
        )
        .await
    }

    /// With these lines in the file's table of limits.
    pub(crate) async fn limited(limits: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("[limits]\n{limits}\n")).unwrap();
        Self::start(&["--config", file.path().to_str().unwrap()]).await
    }

    /// Runs what ends in the bridge's program, with more arguments for it.
    pub(crate) async fn launch(command: &mut Command) -> Self {
        let mut child = command
            .args(LOCAL)
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = reader.next_line().await {
                let _ = sender.send(line);
            }
        });
        let mut program = Self {
            addr: SocketAddr::from(([0; 4], 0)),
            child,
            lines,
            said: Vec::new(),
        };
        let serving = program.line("serving http").await;
        program.addr = serving
            .split("://")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        program
    }

    /// Waits for a line of the log that contains this.
    pub(crate) async fn line(&mut self, text: &str) -> String {
        loop {
            let line = soon(text, self.lines.recv())
                .await
                .unwrap_or_else(|| panic!("it ended without {text:?}: {:#?}", self.said));
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends a signal by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(
            Command::new("sh")
                .args(["-c", "kill -$0 $1", name, &id])
                .status()
                .await
                .unwrap()
                .success()
        );
    }

    /// What it has in memory, KiB.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:")
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        self.status("Threads:").parse().unwrap()
    }

    /// What the system says of it under this name (proc(5)).
    fn status(&self, name: &str) -> String {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// The time that its threads have had on processors.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap())).unwrap();
        // In hundredths of a second (proc(5)): user mode, then the system's; the name before them
        // may hold blanks.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        Duration::from_millis(
            10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()),
        )
    }

    /// Waits for its end, and for the end of its log.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        while let Some(line) = soon("the end of the log", self.lines.recv()).await {
            self.said.push(line);
        }
        soon("the end", self.child.wait()).await.unwrap()
    }
}
