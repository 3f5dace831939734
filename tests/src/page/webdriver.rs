//! How elements are selected by role, and commands that fantoccini lacks.

use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::Value;

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
/// 1.3), and a `summary` is a button with a role of its own in Chromium.
pub(super) fn is_role(computed: &str, role: &str) -> bool {
    let names = [("image", "img"), ("DisclosureTriangle", "button")];
    computed == role || names.contains(&(computed, role))
}

/// A command that fantoccini does not provide.
#[derive(Debug)]
pub struct Extended {
    /// Below the session's own path.
    pub path: String,
    /// It is posted; without one, the command is a GET.
    pub body: Option<Value>,
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
