//! Explanations of technical terms, behind a click.

use leptos::prelude::*;

/// What a magnet link is.
pub const MAGNET: &str = "A magnet link identifies a torrent by its info-hash, and often lists trackers that know who has the files.";
/// What an info-hash is.
pub const INFO_HASH: &str = "An info-hash is a torrent\u{2019}s fingerprint, 40 letters and digits. It identifies the torrent, and every download is checked against it.";

/// What the bridge is. This page came from it.
#[must_use]
pub fn bridge() -> String {
    format!(
        "The bridge is the server that this page came from ({}): it connects this tab to other people\u{2019}s BitTorrent programs, which a web page cannot reach by itself.",
        bridge_host()
    )
}

/// The bridge's host name or address.
#[must_use]
pub fn bridge_host() -> String {
    window().location().hostname().unwrap_or_default()
}

/// A question; opening it shows the answer.
#[component]
pub fn Explain(question: &'static str, children: Children) -> impl IntoView {
    view! {
        <details class="explain">
            <summary>{question}</summary>
            <p>{children()}</p>
        </details>
    }
}
