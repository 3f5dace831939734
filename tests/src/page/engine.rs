//! The browsers in which the page is tested.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use super::{chromium, firefox, webkit};
use crate::programs::Program;

/// A browser engine, by the browser that is started for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Debian's Chromium with chromedriver.
    Chromium,
    /// Firefox ESR with geckodriver.
    Firefox,
    /// WebKitGTK's MiniBrowser with WebKitWebDriver, in a virtual display. These of its features are
    /// switched on, separated by commas.
    WebKitGtk(&'static str),
}

impl Engine {
    /// Starts the driver. `None` if it must be started again, because its port was in use.
    pub(super) fn start_driver(self) -> Option<Driver> {
        match self {
            Self::Chromium => chromium::start_driver(),
            Self::Firefox => firefox::start_driver(),
            Self::WebKitGtk(_) => Some(webkit::start_driver()),
        }
    }

    /// What is asked of the driver for a new session.
    pub(super) fn capabilities(self, profile: &Path, downloads: &Path) -> Map<String, Value> {
        match self {
            Self::Chromium => chromium::capabilities(profile, downloads),
            Self::Firefox => firefox::capabilities(downloads),
            Self::WebKitGtk(features) => webkit::capabilities(features),
        }
    }
}

/// A driver that waits for a session. It leads a process group, to which its browser belongs.
/// Dropping it ends both.
pub(super) struct Driver {
    port: u16,
    program: Program,
    /// The virtual display of the browser.
    _display: Option<Program>,
}

impl Drop for Driver {
    /// A driver that is killed leaves its browser running.
    fn drop(&mut self) {
        end_group(self.program.id());
    }
}

/// Kills all processes of the group with this leader.
fn end_group(leader: u32) {
    // `kill` is a builtin of every shell; some take no `--` after `-KILL`. It fails if the group has ended
    // already.
    let kill = format!("kill -s KILL -- -{leader} 2>/dev/null");
    Command::new("sh").args(["-c", &kill]).status().ok();
}

/// Starts a driver as the leader of a process group.
pub(super) fn start_group(driver: &mut Command) -> Program {
    Program::start(driver.process_group(0))
}

impl Driver {
    /// `display`: if the browser cannot do without one.
    pub(super) fn new(port: u16, program: Program, display: Option<Program>) -> Self {
        Self {
            port,
            program,
            _display: display,
        }
    }

    /// The port of loopback at which the driver listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What the driver and its browser have printed.
    pub(super) fn lines(&self) -> Vec<String> {
        self.program.lines()
    }
}
