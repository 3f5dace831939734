//! Starting chromedriver, and commands that fantoccini lacks.

use std::path::Path;

use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Value, json};

use super::SOON;
use crate::programs::{Program, command, system};

/// Starts chromedriver. `None` if it must be started again, because the port that it chose among
/// those free over IPv6 was in use over IPv4.
pub(super) fn start_driver() -> Option<(Program, String)> {
    let mut driver = Program::start(&mut command(
        system("chromedriver", "chromium-driver"),
        ["--port=0"],
    ));
    driver.wait_for_line("Starting ChromeDriver", SOON);
    let said = driver.wait_for_line("port ", SOON);
    let port = said
        .split_once("started successfully on port ")?
        .1
        .trim_end_matches('.')
        .to_owned();
    Some((driver, port))
}

/// A CSS selector for elements that may have this role. The browser then computes which of them do.
pub(super) fn selector(role: &str) -> &'static str {
    match role {
        "textbox" => "input, textarea, [role=textbox]",
        "button" => "button, summary, input[type=submit], [role=button]",
        "checkbox" => "input[type=checkbox], [role=checkbox]",
        "list" => "ul, ol, [role=list]",
        "listitem" => "li, [role=listitem]",
        "searchbox" => "input[type=search]",
        "combobox" => "select",
        "table" => "table",
        "columnheader" => "th",
        "heading" => "h1, h2, h3, h4, [role=heading]",
        "dialog" => "dialog, [role=dialog]",
        _ => "[role]",
    }
}

/// Whether a role that the browser computed is this one. `image` is the newer name of `img` (ARIA
/// 1.3).
pub(super) fn is_role(computed: &str, role: &str) -> bool {
    computed == role || (computed, role) == ("image", "img")
}

pub(super) fn capabilities(profile: &Path, downloads: &Path) -> serde_json::Map<String, Value> {
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

/// A command that fantoccini does not provide.
#[derive(Debug)]
pub(super) struct Extended {
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl WebDriverCompatibleCommand for Extended {
    fn endpoint(
        &self,
        base_url: &url::Url,
        session_id: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!(
            "session/{}/{}",
            session_id.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _request_url: &url::Url) -> (hyper::Method, Option<String>) {
        match &self.body {
            Some(body) => (hyper::Method::POST, Some(body.to_string())),
            None => (hyper::Method::GET, None),
        }
    }
}
