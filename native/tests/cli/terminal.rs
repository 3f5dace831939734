//! A pseudo-terminal and the content of its screen.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The maximum time that a program may print nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a terminal with unlimited scrollback.
pub(crate) struct Terminal {
    child: Child,
    output: Receiver<Vec<u8>>,
    pub(crate) screen: Screen,
}

impl Terminal {
    /// Starts a program with both outputs on a terminal of this size.
    pub(crate) fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        tcsetwinsize(
            &slave,
            Winsize {
                ws_col: columns,
                ws_row: rows,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )
        .unwrap();
        let child = command
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        // Only the child keeps the other end open from here on, so the output ends when the child
        // exits.
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        drop(slave);
        let (sender, output) = mpsc::channel();
        let mut master = File::from(master);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = master.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            output,
            screen: Screen::of(columns.into()),
        }
    }

    /// Reads until the screen fulfils `holds`.
    pub(crate) fn wait_for(&mut self, holds: impl Fn(&Screen) -> bool) {
        while !holds(&self.screen) {
            let Ok(bytes) = self.output.recv_timeout(PATIENCE) else {
                panic!("it ended or fell silent: {}", self.screen.text())
            };
            self.screen.write(&bytes);
        }
    }

    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Reads until the output ends. Returns the exit status.
    pub(crate) fn end(&mut self) -> ExitStatus {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.screen.write(&bytes);
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A minimal terminal emulator that supports what progress bars use.
pub(crate) struct Screen {
    columns: usize,
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The incomplete start of an escape sequence or of a UTF-8 character.
    pending: Vec<u8>,
    /// Whether anything other than text and line ends was written.
    pub(crate) was_steered: bool,
}

impl Screen {
    fn of(columns: usize) -> Self {
        Self {
            columns,
            lines: vec![Vec::new()],
            row: 0,
            column: 0,
            pending: Vec::new(),
            was_steered: false,
        }
    }

    /// The text on the screen, one line per row.
    pub(crate) fn text(&self) -> String {
        let lines = self
            .lines
            .iter()
            .map(|line| line.iter().collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    pub(crate) fn has_line(&self, holds: impl Fn(&str) -> bool) -> bool {
        self.text().lines().any(holds)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let mut bytes = std::mem::take(&mut self.pending);
        let whole = std::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
        self.pending = bytes.split_off(whole);
        let text = String::from_utf8(bytes).unwrap();
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            if c == '\x1b' {
                let Some(end) = rest
                    .char_indices()
                    .skip(2)
                    .find(|(_, c)| c.is_ascii_alphabetic())
                    .map(|(at, _)| at)
                else {
                    self.pending.splice(0..0, rest.bytes());
                    return;
                };
                self.steer(&rest[2..end], rest.as_bytes()[end]);
                rest = &rest[end + 1..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            self.put(c);
        }
    }

    fn put(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => self.go_to(self.row + 1),
            _ => {
                if self.column == self.columns {
                    self.column = 0;
                    self.go_to(self.row + 1);
                }
                let line = &mut self.lines[self.row];
                line.resize(line.len().max(self.column + 1), ' ');
                line[self.column] = c;
                self.column += 1;
            }
        }
    }

    fn go_to(&mut self, row: usize) {
        self.row = row;
        self.lines.resize(self.lines.len().max(row + 1), Vec::new());
    }

    fn steer(&mut self, number: &str, command: u8) {
        self.was_steered = true;
        let count = number.parse().unwrap_or(1);
        match command {
            b'A' => self.row = self.row.saturating_sub(count),
            b'B' => self.go_to(self.row + count),
            b'K' if number == "2" => self.lines[self.row].clear(),
            b'K' => self.lines[self.row].truncate(self.column),
            b'J' => {
                self.lines.truncate(self.row + 1);
                self.lines[self.row].truncate(self.column);
            }
            // Colours, and the cursor's visibility.
            b'm' | b'h' | b'l' => {}
            other => panic!(
                "the screen does not know ESC [ {number} {}",
                char::from(other)
            ),
        }
    }
}
