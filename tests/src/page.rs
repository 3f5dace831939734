//! The page in a real browser, found by accessible role and name as its users find it.

mod shown;
mod webdriver;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::devtools::Worker;
use crate::programs::Program;
pub use shown::Shown;
use shown::{NEWS, read};
use webdriver::{Extended, capabilities, selector, start_driver};

/// How long the page may take for what needs no network. This limit and its like only end a test
/// that hangs: a busy machine must not reach them.
pub const SOON: Duration = Duration::from_secs(60);

/// Chromium with one page, driven by chromedriver.
pub struct Browser {
    client: Client,
    downloads: PathBuf,
    profile: TempDir,
    /// Killed when this is dropped, and Chromium with it.
    _driver: Program,
}

impl Browser {
    /// Starts both with an empty profile; downloads go to `downloads`.
    ///
    /// # Panics
    /// One of them is missing or does not start.
    pub async fn start(downloads: &Path) -> Self {
        let (driver, port) = (0..10)
            .find_map(|_| start_driver())
            .expect("chromedriver finds a free port");
        let profile = TempDir::new().expect("a folder for the profile");
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities(profile.path(), downloads));
        let client = builder
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromedriver starts Chromium");
        Self {
            client,
            downloads: downloads.to_owned(),
            profile,
            _driver: driver,
        }
    }

    /// Ends the session in good order, and shows that the console held no errors.
    ///
    /// # Panics
    /// It did.
    pub async fn close(self) {
        self.close_but_for("no error at all").await;
    }

    /// Ends the session in good order, and shows that the console held no errors but such as speak
    /// of `expected`.
    ///
    /// # Panics
    /// It did.
    pub async fn close_but_for(self, expected: &str) {
        let errors = self.console_errors().await;
        self.client.clone().close().await.expect("the session ends");
        assert!(
            errors.iter().all(|error| error.contains(expected)),
            "the console has errors: {errors:#?}"
        );
    }

    /// The session, for what this type does not do.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens the page and waits until it is ready to use.
    ///
    /// # Panics
    /// It is not.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
        self.find("textbox", "Magnet link or info-hash").await;
    }

    /// Reloads the page and waits until it is ready to use.
    ///
    /// # Panics
    /// It is not.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page loads again");
        self.find("textbox", "Magnet link or info-hash").await;
    }

    /// Waits for an element of this role whose name contains `name`.
    ///
    /// # Panics
    /// There is none soon.
    pub async fn find(&self, role: &str, name: &str) -> Element {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(found) = self.find_now(role, name).await {
                return found;
            }
            if Instant::now() > deadline {
                let text = self.text().await;
                panic!("no {role} {name:?} within {SOON:?}; the page says:\n{text}");
            }
            self.news("").await;
        }
    }

    /// An element of this role whose name contains `name`, if there is one now.
    pub async fn find_now(&self, role: &str, name: &str) -> Option<Element> {
        for element in self
            .client
            .find_all(Locator::Css(selector(role)))
            .await
            .ok()?
        {
            if self.computed(&element, "role").await == role
                && self.computed(&element, "label").await.contains(name)
            {
                return Some(element);
            }
        }
        None
    }

    /// The accessible role or name of an element; empty if it is gone.
    async fn computed(&self, element: &Element, what: &'static str) -> String {
        let asked = Extended {
            path: format!("element/{}/computed{what}", &*element.element_id()),
            body: None,
        };
        self.client
            .issue_cmd(asked)
            .await
            .ok()
            .and_then(|value| Some(value.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Clicks the button of this name.
    ///
    /// # Panics
    /// There is none, or it cannot be clicked.
    pub async fn press(&self, button: &str) {
        self.find("button", button)
            .await
            .click()
            .await
            .unwrap_or_else(|e| panic!("{button} cannot be clicked: {e}"));
    }

    /// Types a link or an info-hash and presses "Download".
    ///
    /// # Panics
    /// The form is not there.
    pub async fn add_link(&self, link: &str) {
        let field = self.find("textbox", "Magnet link or info-hash").await;
        field.clear().await.expect("the field can be emptied");
        field
            .send_keys(link)
            .await
            .expect("the field can be typed into");
        self.press("Download").await;
    }

    /// Presses a key, wherever the focus is.
    ///
    /// # Panics
    /// The browser takes no keys.
    pub async fn key(&self, key: Key) {
        let value = char::from(key);
        let pressed = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client
            .perform_actions(pressed)
            .await
            .expect("the browser takes keys");
    }

    /// Gives the page a .torrent file.
    ///
    /// # Panics
    /// It has no file input.
    pub async fn add_file(&self, torrent: &Path) {
        let input = self
            .client
            .find(Locator::Css("input[type=file]"))
            .await
            .expect("a file input");
        input
            .send_keys(&torrent.to_string_lossy())
            .await
            .expect("the file input takes a file");
    }

    /// Drags files over the page and lets go of them there.
    ///
    /// # Panics
    /// The browser does not do that.
    pub async fn drop_files(&self, paths: &[&Path]) {
        let data = json!({ "items": [], "files": paths, "dragOperationsMask": 1 });
        let deadline = Instant::now() + SOON;
        self.run("window.dropped = false; window.addEventListener('drop', () => window.dropped = true, { once: true })").await;
        // A browser that has not yet drawn the page has nothing to drop on.
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

    /// Goes to an element with the keyboard alone.
    ///
    /// # Panics
    /// There is no way to it.
    pub async fn tab_to(&self, role: &str, name: &str) {
        for _ in 0..100 {
            self.key(Key::Tab).await;
            let active = self
                .client
                .active_element()
                .await
                .expect("something has the focus");
            if self.computed(&active, "role").await == role
                && self.computed(&active, "label").await.contains(name)
            {
                return;
            }
        }
        panic!("no way to the {role} {name:?} with the keyboard");
    }

    /// What the list of torrents shows now.
    pub async fn shown(&self) -> Vec<Shown> {
        read(&self.news("").await)
    }

    /// Waits until the list of torrents is as it should be.
    ///
    /// # Panics
    /// It is not within `limit`; says what it shows instead.
    pub async fn wait_until(
        &self,
        limit: Duration,
        what: &str,
        holds: impl Fn(&[Shown]) -> bool,
    ) -> Vec<Shown> {
        let deadline = Instant::now() + limit;
        let mut seen = String::new();
        loop {
            seen = self.news(&seen).await;
            let shown = read(&seen);
            if holds(&shown) {
                return shown;
            }
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {what}; the page shows {shown:#?}"
            );
        }
    }

    /// Waits until a torrent has come this far, in percent.
    ///
    /// # Panics
    /// None has within `limit`.
    pub async fn wait_for_progress(&self, percent: i64, limit: Duration) {
        let what = format!("{percent} % of a torrent");
        self.wait_until(limit, &what, |shown| {
            shown.iter().any(|torrent| torrent.progress >= percent)
        })
        .await;
    }

    /// Waits until the one torrent has everything.
    ///
    /// # Panics
    /// It has not within `limit`.
    pub async fn wait_until_complete(&self, limit: Duration) {
        let complete = |shown: &Shown| {
            shown.progress == 100
                && (shown.status.starts_with("Seeding") || shown.status.starts_with("Finished"))
        };
        self.wait_until(limit, "the torrent is complete", |shown| {
            shown.len() == 1 && shown.iter().all(complete)
        })
        .await;
    }

    async fn news(&self, seen: &str) -> String {
        let value = self.client.execute_async(NEWS, vec![json!(seen)]).await;
        value
            .ok()
            .and_then(|value| Some(value.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Waits until the page says this.
    ///
    /// # Panics
    /// It does not soon.
    pub async fn wait_for_text(&self, text: &str) {
        let deadline = Instant::now() + SOON * 2;
        while !self.text().await.contains(text) {
            assert!(
                Instant::now() < deadline,
                "the page does not say {text:?}; it says:\n{}",
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a script, run in the page, comes to this.
    ///
    /// # Panics
    /// It does not soon.
    pub async fn wait_for(&self, script: &str, expected: Value) {
        let deadline = Instant::now() + SOON * 2;
        loop {
            let found = self.run(script).await;
            if found == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{script} comes to {found}, not to {expected}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All visible text.
    pub async fn text(&self) -> String {
        let value = self
            .client
            .execute("return document.body.innerText", vec![])
            .await;
        value
            .ok()
            .and_then(|value| Some(value.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Presses "Save" of a file and waits for the browser to have saved it.
    ///
    /// # Panics
    /// It is not there, with this size, within `limit`.
    pub async fn save(&self, name: &str, size: u64, limit: Duration) -> PathBuf {
        self.press(&format!("Save {name}")).await;
        let (path, deadline) = (self.downloads.join(name), Instant::now() + limit);
        // Browsers send no event when a download ends; its file gets its name when it is complete.
        while path.metadata().map_or(true, |found| found.len() != size) {
            assert!(
                Instant::now() < deadline,
                "{name} was not saved within {limit:?}; there is {:?}",
                names(&self.downloads)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        path
    }

    /// A way into the page's worker.
    pub async fn worker(&self) -> Worker {
        Worker::attach(self.profile.path()).await
    }

    /// Runs a script in the page.
    ///
    /// # Panics
    /// It throws.
    pub async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, vec![])
            .await
            .unwrap_or_else(|e| panic!("{script} throws: {e}"))
    }

    /// Runs an asynchronous script in the page; its last argument is to be called with the outcome.
    ///
    /// # Panics
    /// It throws.
    pub async fn run_async(&self, script: &str) -> Value {
        self.client
            .execute_async(script, vec![])
            .await
            .unwrap_or_else(|e| panic!("{script} throws: {e}"))
    }

    /// Lets the page's origin store this many bytes in all.
    ///
    /// # Panics
    /// The browser does not do that.
    pub async fn limit_storage(&self, origin: &str, bytes: Option<u64>) {
        let mut parameters = json!({ "origin": origin });
        if let Some(bytes) = bytes {
            parameters["quotaSize"] = json!(bytes);
        }
        self.devtools("Storage.overrideQuotaForOrigin", parameters)
            .await;
    }

    /// Sends the browser a command of its debugging protocol.
    ///
    /// # Panics
    /// It does not understand.
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

    /// What the page and its workers logged as errors since the last call.
    pub async fn console_errors(&self) -> Vec<String> {
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

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
