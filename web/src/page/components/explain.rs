//! What words mean that not everybody knows, behind a click.

use leptos::prelude::*;

/// In one sentence.
pub const MAGNET: &str = "A magnet link names a torrent by its info-hash, and often says where to ask for people who have the files.";
/// In one sentence.
pub const INFO_HASH: &str = "An info-hash is a torrent\u{2019}s fingerprint of 40 letters and digits: by it the torrent is found, and what arrives is checked.";

/// In one sentence. The bridge is where the page came from.
#[must_use]
pub fn bridge() -> String {
    format!(
        "The bridge is the server that this page came from ({}): it connects this tab to other people\u{2019}s BitTorrent programs, which a web page cannot reach by itself.",
        host()
    )
}

/// The name or address of the bridge.
#[must_use]
pub fn host() -> String {
    window().location().hostname().unwrap_or_default()
}

/// A question, and its answer once it is opened.
#[component]
pub fn Explain(question: &'static str, children: Children) -> impl IntoView {
    view! {
        <details class="explain">
            <summary>{question}</summary>
            <p>{children()}</p>
        </details>
    }
}
