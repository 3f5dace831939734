//! The torrents that the page shows.

use serde_json::Value;

/// Returns the list of torrents as text, as soon as it differs from `arguments[0]`, or after five
/// seconds.
pub(super) const NEWS: &str = r#"
const [seen, done] = arguments;
const text = (item, selector) => item.querySelector(selector)?.textContent.trim() ?? "";
const read = () => JSON.stringify(Array.from(document.querySelectorAll('[aria-label="Torrents"] > *'), item => ({
    name: text(item, "h1, h2, h3, h4, [role=heading]"),
    status: text(item, "[role=status]"),
    progress: Number(item.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow") ?? -1),
})));
const tell = () => { observer.disconnect(); done(read()); };
const observer = new MutationObserver(() => { if (read() !== seen) tell(); });
observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
if (read() !== seen) tell(); else setTimeout(tell, 5000);
"#;

/// A torrent as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its heading.
    pub name: String,
    /// The status, which begins with one of the page's status words.
    pub status: String,
    /// 0 to 100; -1 if there is no progress bar.
    pub progress: i64,
}

pub(super) fn read(news: &str) -> Vec<Shown> {
    let items = serde_json::from_str::<Vec<Value>>(news).unwrap_or_default();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .map(|i| Shown {
            name: text(i, "name"),
            status: text(i, "status"),
            progress: i["progress"].as_i64().unwrap_or(-1),
        })
        .collect()
}
