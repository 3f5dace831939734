//! WebKitGTK's MiniBrowser, started by WebKitWebDriver.

use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::SOON;
use super::engine::{Driver, start_group};
use crate::programs::{Program, command, free_port, system};

/// Starts WebKitWebDriver, which prints nothing, in a virtual display.
pub(super) fn start_driver() -> Driver {
    let mut display = Program::start(&mut command(
        system("Xvfb", "xvfb"),
        ["-displayfd", "1", "-screen", "0", "1280x1000x24"],
    ));
    // The number of the display that it chose.
    let number = display.wait_for("the number of a display", SOON, |line| {
        line.parse::<u32>().ok()
    });
    let (port, begun) = (free_port(), Instant::now());
    let mut driver = command(
        system("WebKitWebDriver", "webkit2gtk-driver"),
        [format!("--port={port}")],
    );
    let driver = start_group(driver.env("DISPLAY", format!(":{number}")));
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begun.elapsed() < SOON, "WebKitWebDriver does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Driver::new(port, driver, Some(display))
}

/// The driver starts MiniBrowser unless another program is named. Without `--automation` it would
/// never answer.
pub(super) fn capabilities(features: &str) -> Map<String, Value> {
    let arguments = ["--automation".to_owned(), format!("--features={features}")];
    let all = json!({ "webkitgtk:browserOptions": { "args": arguments } });
    all.as_object().cloned().unwrap_or_default()
}
