//! Explanations of technical terms, behind a click.

use leptos::prelude::*;

/// What a magnet link is.
pub const MAGNET: &str = "A magnet link names a torrent by its info-hash, and often says where to ask for people who have the files.";
/// What an info-hash is.
pub const INFO_HASH: &str = "An info-hash is a torrent\u{2019}s fingerprint of 40 letters and digits: by it the torrent is found, and what arrives is checked.";

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
