//! `WebKitGTK`, started by `WebKitWebDriver` on a display of its own.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::SOON;
use super::engine::{Driver, start_group};
use crate::programs::{Program, command, free_port, system};

/// The browser that the driver starts; it documents why it is not MiniBrowser.
const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/webkit_browser.py");
/// How errors on the console of pages are printed.
const ERRORS: [&str; 2] = ["CONSOLE JS ERROR", "CONSOLE SECURITY ERROR"];

/// Starts a display without a screen, and `WebKitWebDriver`. `None` if its port was taken meanwhile.
pub(super) fn start_driver(profile: &Path) -> Option<Driver> {
    let screen = [
        "-displayfd",
        "1",
        "-screen",
        "0",
        "1280x1024x24",
        "-nolisten",
        "tcp",
    ];
    let mut display = Program::start(&mut command(system("Xvfb", "xvfb"), screen));
    // It prints nothing but the number of its display.
    let number = display.wait_for_line("", SOON);
    let port = free_port();
    let host = format!("--host={}", Ipv4Addr::LOCALHOST);
    let mut driver = Command::new(system("WebKitWebDriver", "webkit2gtk-driver"));
    driver
        .args([host, format!("--port={port}")])
        .env("DISPLAY", format!(":{number}"))
        .env("HOME", profile);
    let driver = start_group(&mut driver);
    listens(port).then(|| Driver::new(port, vec![driver, display]))
}

/// Waits until a program listens at the port, which the driver does not report.
fn listens(port: u16) -> bool {
    let deadline = Instant::now() + SOON;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

pub(super) fn capabilities(profile: &Path, downloads: &Path) -> Map<String, Value> {
    let options = json!({ "binary": "/usr/bin/python3", "args": [BROWSER, profile, downloads] });
    let all = json!({ "webkitgtk:browserOptions": options });
    all.as_object().cloned().unwrap_or_default()
}

/// The errors among what the browser has printed.
pub(super) fn errors(lines: &[String]) -> Vec<String> {
    let is_error = |line: &&String| ERRORS.iter().any(|error| line.contains(error));
    lines.iter().filter(is_error).cloned().collect()
}
