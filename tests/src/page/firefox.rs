//! Firefox, started by geckodriver.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::SOON;
use super::engine::{Driver, start_group};
use crate::programs::{command, system};

/// How errors of pages are printed: exceptions that were not caught, and panics. The browser also
/// prints errors of its own.
const ERRORS: [&str; 2] = ["JavaScript error: http", "panicked at"];

/// The path of geckodriver: `AQUEDUCT_GECKODRIVER`, or the one on the PATH.
fn geckodriver() -> PathBuf {
    std::env::var_os("AQUEDUCT_GECKODRIVER")
        .map_or_else(|| system("geckodriver", "geckodriver"), PathBuf::from)
}

/// Starts geckodriver at any free port.
pub(super) fn start_driver() -> Option<Driver> {
    let mut driver = start_group(&mut command(geckodriver(), ["--port", "0"]));
    let said = driver.wait_for_line("Listening on ", SOON);
    let port = said.rsplit(':').next()?.trim().parse().ok()?;
    Some(Driver::new(port, driver, None))
}

pub(super) fn capabilities(downloads: &Path) -> Map<String, Value> {
    let preferences = json!({
        "browser.download.folderList": 2,
        "browser.download.dir": downloads,
        "browser.download.useDownloadDir": true,
        "browser.download.alwaysOpenPanel": false,
        "browser.download.always_ask_before_handling_new_types": false,
        "devtools.console.stdout.content": true,
        "browser.dom.window.dump.enabled": true,
    });
    let options = json!({
        "binary": system("firefox-esr", "firefox-esr"),
        "args": ["-headless", "--width=1200", "--height=900"],
        "prefs": preferences,
    });
    let all = json!({ "browserName": "firefox", "moz:firefoxOptions": options });
    all.as_object().cloned().unwrap_or_default()
}

/// The errors among what the browser has printed.
pub(super) fn errors(lines: &[String]) -> Vec<String> {
    let is_error = |line: &&String| ERRORS.iter().any(|error| line.contains(error));
    lines.iter().filter(is_error).cloned().collect()
}
