//! The page in a real browser. Elements are found by accessible role and name, as users find them.

mod axe;
mod chromium;
mod engine;
mod firefox;
mod shown;
mod webdriver;
mod webkit;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;

use engine::Driver;
pub use engine::Engine;
pub use shown::Shown;
use shown::{NEWS, read};
pub use webdriver::Extended;
use webdriver::{is_role, selector};

/// The limit for everything on the page that needs no network. These limits only end tests that
/// hang; a busy machine must not reach them.
pub const SOON: Duration = Duration::from_secs(60);

/// A browser with one page, controlled by its driver.
pub struct Browser {
    engine: Engine,
    client: Client,
    downloads: PathBuf,
    profile: TempDir,
    /// Dropping it kills the driver, and the browser with it.
    driver: Driver,
}

impl Browser {
    /// Starts Chromium with an empty profile. Downloads go to `downloads`.
    ///
    /// # Panics
    /// It or its driver is missing or does not start.
    pub async fn start(downloads: &Path) -> Self {
        Self::start_engine(Engine::Chromium, downloads).await
    }

    /// As [`Browser::start`], with this engine.
    ///
    /// # Panics
    /// The browser or its driver is missing or does not start.
    pub async fn start_engine(engine: Engine, downloads: &Path) -> Self {
        let profile = TempDir::new().expect("a folder for the profile");
        let driver = (0..10)
            .find_map(|_| engine.start_driver())
            .expect("the driver finds a free port");
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(engine.capabilities(profile.path(), downloads));
        let client = builder
            .connect(&format!("http://127.0.0.1:{}", driver.port()))
            .await
            .unwrap_or_else(|e| panic!("the driver does not start {engine:?}: {e}"));
        Self {
            engine,
            client,
            downloads: downloads.to_owned(),
            profile,
            driver,
        }
    }

    /// Ends the session cleanly and asserts that the console has no errors.
    ///
    /// # Panics
    /// It has.
    pub async fn close(self) {
        self.close_but_for("no error at all").await;
    }

    /// Ends the session cleanly and asserts that every error on the console contains `expected`.
    ///
    /// # Panics
    /// One does not.
    pub async fn close_but_for(self, expected: &str) {
        let errors = self.console_errors().await;
        self.client.clone().close().await.expect("the session ends");
        assert!(
            errors.iter().all(|error| error.contains(expected)),
            "the console has errors: {errors:#?}"
        );
    }

    /// The WebDriver session, for everything that this type does not cover.
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
    /// There is none within [`SOON`].
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
            if is_role(&self.computed(&element, "role").await, role)
                && self.computed(&element, "label").await.contains(name)
            {
                return Some(element);
            }
        }
        None
    }

    /// The accessible role or name of an element; empty if the element is gone.
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

    /// Clicks the checkbox of this name.
    ///
    /// # Panics
    /// There is none, or it cannot be clicked.
    pub async fn toggle(&self, checkbox: &str) {
        self.find("checkbox", checkbox)
            .await
            .click()
            .await
            .unwrap_or_else(|e| panic!("{checkbox} cannot be clicked: {e}"));
    }

    /// Replaces the text of a field and leaves it.
    ///
    /// # Panics
    /// There is no field of this name.
    pub async fn type_into(&self, field: &str, text: &str) {
        let found = self.find("textbox", field).await;
        found.clear().await.expect("the field can be emptied");
        let typed = text.to_owned() + &Key::Tab;
        found
            .send_keys(&typed)
            .await
            .expect("the field can be typed into");
    }

    /// Chooses an option of the field of this name.
    ///
    /// # Panics
    /// There is no such field or option.
    pub async fn choose(&self, field: &str, option: &str) {
        let found = self.find("combobox", field).await;
        let chosen = found.select_by_value(option).await;
        chosen.unwrap_or_else(|e| panic!("{option} of {field} cannot be chosen: {e}"));
    }

    /// Enters a link or an info-hash and presses "Download".
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

    /// Presses a key; the focused element receives it.
    ///
    /// # Panics
    /// The browser rejects the command.
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

    /// Adds a .torrent file through the page's file input.
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

    /// Opens a torrent of the list, unless it is open.
    ///
    /// # Panics
    /// There is none of this name, or it cannot be clicked.
    pub async fn open_torrent(&self, name: &str) {
        let found = format!("//ul[@aria-label='Torrents']//h2/button[contains(., '{name}')]");
        let button = self.client.wait().for_element(Locator::XPath(&found)).await;
        let button = button.expect("the torrent is in the list");
        if button.attr("aria-expanded").await.ok().flatten().as_deref() != Some("true") {
            button.click().await.expect("the torrent can be opened");
        }
    }

    /// Selects a tab of the opened torrent.
    ///
    /// # Panics
    /// There is no such tab.
    pub async fn open_tab(&self, name: &str) {
        let tab = self.find("tab", name).await;
        tab.click().await.expect("the tab can be selected");
    }

    /// Moves the focus to an element with the Tab key alone.
    ///
    /// # Panics
    /// The element cannot be reached.
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

    /// The torrents that the list shows now.
    pub async fn shown(&self) -> Vec<Shown> {
        read(&self.news("").await)
    }

    /// Waits until the list of torrents fulfils `holds`.
    ///
    /// # Panics
    /// It does not within `limit`; the message contains what it shows instead.
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

    /// Waits until a torrent has reached this progress, in percent.
    ///
    /// # Panics
    /// None does within `limit`.
    pub async fn wait_for_progress(&self, percent: i64, limit: Duration) {
        let what = format!("{percent} % of a torrent");
        self.wait_until(limit, &what, |shown| {
            shown.iter().any(|torrent| torrent.progress >= percent)
        })
        .await;
    }

    /// Waits until the only torrent is complete.
    ///
    /// # Panics
    /// It is not within `limit`.
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

    /// Waits until the page shows this text.
    ///
    /// # Panics
    /// It does not within [`SOON`].
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

    /// Waits until a script in the page returns `expected`.
    ///
    /// # Panics
    /// It does not within [`SOON`].
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

    /// All visible text of the page.
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

    /// Presses "Save" of a file and waits until the browser has saved it.
    ///
    /// # Panics
    /// There is no file of this size within `limit`.
    pub async fn save(&self, name: &str, size: u64, limit: Duration) -> PathBuf {
        self.press(&format!("Save {name}")).await;
        self.saved(name, limit, |found| found == size).await
    }

    /// Waits until the browser has saved a file whose size is accepted. Returns its path.
    ///
    /// # Panics
    /// There is none within `limit`.
    pub async fn saved(
        &self,
        name: &str,
        limit: Duration,
        accepts: impl Fn(u64) -> bool,
    ) -> PathBuf {
        let (path, deadline) = (self.downloads.join(name), Instant::now() + limit);
        // Browsers send no event when a download ends. The file has its final name and size when it
        // is complete.
        while path.metadata().map_or(true, |found| !accepts(found.len())) {
            assert!(
                Instant::now() < deadline,
                "{name} was not saved within {limit:?}; there is {:?}",
                names(&self.downloads)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        path
    }

    /// Runs a script in the page and returns its value.
    ///
    /// # Panics
    /// The script throws.
    pub async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, vec![])
            .await
            .unwrap_or_else(|e| panic!("{script} throws: {e}"))
    }

    /// Runs an asynchronous script in the page. The script passes its result to its last argument,
    /// a callback.
    ///
    /// # Panics
    /// The script throws.
    pub async fn run_async(&self, script: &str) -> Value {
        self.client
            .execute_async(script, vec![])
            .await
            .unwrap_or_else(|e| panic!("{script} throws: {e}"))
    }

    /// Errors that the page and its workers have logged; from Chromium only those since the last
    /// call, from WebKitGTK none.
    pub async fn console_errors(&self) -> Vec<String> {
        match self.engine {
            Engine::Chromium => self.logged_errors().await,
            Engine::Firefox => firefox::errors(&self.driver.lines()),
            // It prints none.
            Engine::WebKitGtk(_) => Vec::new(),
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
