//! Chromium, and what a page in it shows of a download.
//!
//! Some browser drivers slow a tab's network by a factor of several. Plain chromedriver, without
//! BiDi and with an ordinary profile, does not.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use aqueduct_tests::page::Extended;
use aqueduct_tests::programs::free_port;
use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::processes::Processes;
use super::views::View;
use crate::download::wait_for;
use crate::payload;
use crate::process::Background;

const LIMIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(200);
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Records the longest gap between the page's timer callbacks (scheduled every ten milliseconds), the
/// frames that the browser reports because they took over 50 ms, and how long it took from choosing a
/// file until the status, read every 50 ms, said that all was there.
const PROBE: &str = r#"
    const probe = window.probe = { gap: 0, frames: 0, frame: 0, later: 0, status: '', alert: '', taken: null };
    const text = selector => document.querySelector(selector)?.textContent ?? '';
    let start = null, last = performance.now();
    document.addEventListener('change', () => { start ??= performance.now(); }, true);
    new PerformanceObserver(list => {
        for (const frame of list.getEntries()) {
            if (start === null || frame.startTime + frame.duration < start) continue;
            probe.frames++;
            probe.frame = Math.max(probe.frame, frame.duration);
            if (frame.startTime > start + 1000) probe.later = Math.max(probe.later, frame.duration);
        }
    }).observe({ type: 'long-animation-frame' });
    setInterval(() => {
        const now = performance.now();
        probe.gap = Math.max(probe.gap, now - last);
        last = now;
    }, 10);
    setInterval(() => {
        probe.status = text('[role="listitem"] [role="status"], li [role="status"]');
        if (/^(Finished|Seeding)/.test(probe.status)) probe.taken ??= performance.now() - start;
    }, 50);
"#;
const STATE: &str = r#"
    const alert = document.querySelector('[role="alert"]');
    return { ...window.probe, alert: alert ? alert.textContent : '' };
"#;

/// Deletes what the page has stored: files, which the browser may hold until the page that was left is
/// gone, and the list of torrents that there should be.
const FORGET: &str = r#"
    const done = arguments[arguments.length - 1];
    (async () => {
        localStorage.clear();
        const root = await navigator.storage.getDirectory();
        for (let tries = 0; ; tries++) {
            try {
                for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
                return 'done';
            } catch (error) {
                if (tries === 50) throw error;
                await new Promise(again => setTimeout(again, 100));
            }
        }
    })().then(done, error => done(String(error)));
"#;

/// Sends a DevTools command to the browser.
pub(super) async fn devtools(client: &Client, method: &str, parameters: Value) -> Result<Value> {
    let command = Extended {
        path: "goog/cdp/execute".to_owned(),
        body: Some(json!({ "cmd": method, "params": parameters })),
    };
    Ok(client.issue_cmd(command).await?)
}

/// The page's field for .torrent files, which takes paths, once it is there.
pub(super) async fn file_input(client: &Client) -> Result<Element> {
    let field = Locator::Css("input[type=file]");
    Ok(client.wait().for_element(field).await?)
}

/// A browser with one page.
pub(super) struct Browser {
    driver: Background,
    webdriver: SocketAddrV4,
    profile: TempDir,
}

/// How long the page did not respond, in milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Pauses {
    /// The longest gap between timer callbacks.
    pub(super) gap: f64,
    /// The number of frames that took over 50 ms.
    pub(super) frames: f64,
    /// The longest of them; 0 if there was none.
    pub(super) frame: f64,
    /// The longest of those that began after the first second.
    pub(super) later: f64,
}

/// What was measured of a download.
pub(super) struct Watched {
    pub(super) wall: Duration,
    pub(super) pauses: Pauses,
    pub(super) before: Processes,
    pub(super) after: Processes,
}

impl Browser {
    /// Starts the driver. The browser's profile is in memory.
    pub(super) fn start() -> Result<Self> {
        Self::with_profile(payload::in_memory()?)
    }

    /// As [`Self::start`], with a profile in this folder.
    pub(super) fn start_in(folder: &Path) -> Result<Self> {
        Self::with_profile(tempfile::tempdir_in(folder)?)
    }

    fn with_profile(profile: TempDir) -> Result<Self> {
        let webdriver = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        let driver = Background::start(
            Command::new("chromedriver").arg(format!("--port={}", webdriver.port())),
        )?;
        wait_for(webdriver)?;
        Ok(Self {
            driver,
            webdriver,
            profile,
        })
    }

    /// Opens the page, chooses this file there, and waits until the page says that all is there.
    /// `others` are further processes to be measured, by their roles; `view` is what the page shows
    /// meanwhile.
    pub(super) async fn download(
        &self,
        url: &str,
        file: &Path,
        others: &[(&'static str, u32)],
        view: View,
    ) -> Result<Watched> {
        let client = self.open(url).await?;
        let outcome = self.watch(&client, file, others, view).await;
        client.close().await?;
        outcome
    }

    /// As [`Self::download`], once with each of these views in the same browser: what a visit stored is
    /// deleted after it, but the browser has the page and its compiled program.
    pub(super) async fn download_with_each(
        &self,
        url: &str,
        file: &Path,
        views: &[View],
    ) -> Result<Vec<Watched>> {
        let client = self.open(url).await?;
        let outcome = self.watch_each(&client, url, file, views).await;
        client.close().await?;
        outcome
    }

    async fn watch_each(
        &self,
        client: &Client,
        url: &str,
        file: &Path,
        views: &[View],
    ) -> Result<Vec<Watched>> {
        let mut visits = Vec::new();
        for view in views {
            if !visits.is_empty() {
                client.goto(&format!("{url}healthz")).await?;
                let forgotten = client.execute_async(FORGET, Vec::new()).await?;
                ensure!(forgotten == "done", "the storage is not empty: {forgotten}");
                client.goto(url).await?;
            }
            visits.push(self.watch(client, file, &[], *view).await?);
        }
        Ok(visits)
    }

    /// The driver's process. The browser consists of its descendants.
    pub(super) fn driver_id(&self) -> u32 {
        self.driver.id()
    }

    /// Opens a page in a window of its own.
    pub(super) async fn open(&self, url: &str) -> Result<Client> {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "args": arguments }),
        );
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder
            .capabilities(capabilities)
            .connect(&format!("http://{}", self.webdriver))
            .await?;
        client.goto(url).await?;
        Ok(client)
    }

    /// As [`Self::download`], in a page that is open.
    pub(super) async fn watch(
        &self,
        client: &Client,
        file: &Path,
        others: &[(&'static str, u32)],
        view: View,
    ) -> Result<Watched> {
        let input = file_input(client).await?;
        client.execute(PROBE, Vec::new()).await?;
        client.execute(&view.script(), Vec::new()).await?;
        let before = Processes::now(self.driver.id(), others);
        let start = Instant::now();
        input.send_keys(&file.to_string_lossy()).await?;
        loop {
            let state = client.execute(STATE, Vec::new()).await?;
            let text = |name: &str| state.get(name).and_then(Value::as_str).unwrap_or_default();
            let number = |name: &str| state.get(name).and_then(Value::as_f64);
            let pause = |name: &str| number(name).unwrap_or_default();
            ensure!(text("alert").is_empty(), "the page says: {}", text("alert"));
            if let Some(taken) = number("taken") {
                return Ok(Watched {
                    wall: Duration::from_secs_f64(taken / 1000.0),
                    pauses: Pauses {
                        gap: pause("gap"),
                        frames: pause("frames"),
                        frame: pause("frame"),
                        later: pause("later"),
                    },
                    before,
                    after: Processes::now(self.driver.id(), others),
                });
            }
            if start.elapsed() > LIMIT {
                bail!(
                    "not finished after {} s; the page says: {}",
                    LIMIT.as_secs(),
                    text("status")
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
