//! Chromium: how it is started, and what only its debugging interface offers.

use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::engine::{Driver, start_group};
use super::webdriver::Extended;
use super::{Browser, SOON};
use crate::devtools::Worker;
use crate::programs::{command, system};

/// Starts chromedriver. `None` if it must be started again, because the port that it chose among
/// those free over IPv6 was in use over IPv4.
pub(super) fn start_driver() -> Option<Driver> {
    let mut driver = start_group(&mut command(
        system("chromedriver", "chromium-driver"),
        ["--port=0"],
    ));
    driver.wait_for_line("Starting ChromeDriver", SOON);
    let said = driver.wait_for_line("port ", SOON);
    let port = said
        .split_once("started successfully on port ")?
        .1
        .trim_end_matches('.')
        .parse()
        .ok()?;
    Some(Driver::new(port, driver, None))
}

pub(super) fn capabilities(profile: &Path, downloads: &Path) -> Map<String, Value> {
    let arguments = [
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--window-size=1200,900".to_owned(),
        format!("--user-data-dir={}", profile.display()),
    ];
    let options = json!({
        "args": arguments,
        "binary": system("chromium", "chromium"),
        "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
    });
    let all = json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
    all.as_object().cloned().unwrap_or_default()
}

impl Browser {
    /// Drops files onto the page.
    ///
    /// # Panics
    /// The browser rejects the command.
    pub async fn drop_files(&self, paths: &[&Path]) {
        let data = json!({ "items": [], "files": paths, "dragOperationsMask": 1 });
        let deadline = Instant::now() + SOON;
        self.run("window.dropped = false; window.addEventListener('drop', () => window.dropped = true, { once: true })").await;
        // A browser that has not painted the page yet ignores a drop.
        while self.run("return window.dropped").await != true {
            assert!(
                Instant::now() < deadline,
                "the page was not told of a drop within {SOON:?}"
            );
            for step in ["dragEnter", "dragOver", "drop"] {
                self.devtools(
                    "Input.dispatchDragEvent",
                    json!({ "type": step, "x": 300, "y": 300, "data": data }),
                )
                .await;
            }
        }
    }

    /// A DevTools session with the page's worker.
    pub async fn worker(&self) -> Worker {
        Worker::attach(self.profile.path()).await
    }

    /// A DevTools session with the page's storage worker.
    pub async fn storage_worker(&self) -> Worker {
        Worker::attach_to_storage(self.profile.path()).await
    }

    /// Waits until a stored resume record contains this text: what was chosen is shown before it is
    /// stored, and a reload in between loses it.
    ///
    /// # Panics
    /// None does in time.
    pub async fn wait_for_record(&self, text: &str) {
        let script = format!(
            "return navigator.storage.getDirectory().then(root => root.getDirectoryHandle('torrents')).then(async torrents => {{ \
             for await (const own of torrents.values()) for (const name of ['record-a', 'record-b']) {{ \
                 const file = await own.getFileHandle(name).catch(() => null); \
                 if (file && (await (await file.getFile()).text()).includes({})) return true; \
             }} return false; }}).catch(() => false)",
            Value::from(text)
        );
        self.wait_for(&script, true.into()).await;
    }

    /// Sets the storage quota of the page's origin, in bytes; `None` removes the limit.
    ///
    /// # Panics
    /// The browser rejects the command.
    pub async fn limit_storage(&self, origin: &str, bytes: Option<u64>) {
        let mut parameters = json!({ "origin": origin });
        if let Some(bytes) = bytes {
            parameters["quotaSize"] = json!(bytes);
        }
        self.devtools("Storage.overrideQuotaForOrigin", parameters)
            .await;
    }

    /// Sends a DevTools command to the browser.
    ///
    /// # Panics
    /// The browser rejects the command.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": method, "params": parameters });
        let asked = Extended {
            path: "goog/cdp/execute".to_owned(),
            body: Some(body),
        };
        self.client
            .issue_cmd(asked)
            .await
            .unwrap_or_else(|e| panic!("{method} fails: {e}"))
    }

    /// Errors that the page and its workers logged since the last call.
    pub(super) async fn logged_errors(&self) -> Vec<String> {
        let asked = Extended {
            path: "se/log".to_owned(),
            body: Some(json!({ "type": "browser" })),
        };
        let entries = self.client.issue_cmd(asked).await.unwrap_or_default();
        let severe = entries
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["level"] == "SEVERE");
        severe
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}
