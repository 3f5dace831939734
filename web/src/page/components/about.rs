//! Where the user's files are stored and who sees which data, at the foot of the page.

use leptos::prelude::*;

use super::explain::{INFO_HASH, MAGNET, bridge, bridge_host};
use crate::page::model::Model;
use crate::page::words;

/// Browsers do not let pages detect private windows, so all users are told.
const STORAGE: &str = "What you download stays in this browser, on this device, until you remove it here; \u{201c}Save\u{201d} copies a file to your downloads. \
                       A private window forgets all of it when it is closed, and so does a browser whose site data you clear.";

/// Who sees the user's address. A bridge on this computer is the user's own program.
fn addresses() -> String {
    if is_local(&bridge_host()) {
        return "The bridge, the server that this page came from, runs on this computer: so other people in a torrent, and the trackers that list \
                them, see this computer\u{2019}s address."
            .to_owned();
    }
    format!(
        "Other people in a torrent, and the trackers that list them, see the address of the bridge, the server that this page came from ({}), and \
         not yours. The bridge sees your address and which torrents you open.",
        bridge_host()
    )
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.starts_with("127.")
}

/// Initially closed, below the list of torrents.
#[component]
pub fn About() -> impl IntoView {
    let model = expect_context::<Model>();
    let bridge_state = Memo::new(move |_| {
        model
            .bridge
            .with(|status| model.link.with(|link| words::bridge_state(status, link)))
    });
    view! {
        <footer class="about">
            <p class="bridge">"Bridge: "{move || bridge_state.get()}</p>
            <details>
                <summary>"Where your files are, and who sees what"</summary>
                <dl>
                    <dt>"Your files"</dt>
                    <dd>{STORAGE}</dd>
                    <dt>"Your address"</dt>
                    <dd>{addresses()}</dd>
                    <dt>"Bridge"</dt>
                    <dd>{bridge()}</dd>
                    <dt>"Magnet link, info-hash"</dt>
                    <dd>{MAGNET} " " {INFO_HASH}</dd>
                    <dt>"Tracker, DHT"</dt>
                    <dd>"A tracker is a server that lists who downloads and shares a torrent. The DHT is such a list without a server: BitTorrent programs keep it together."</dd>
                    <dt>"Peer, seed"</dt>
                    <dd>"A peer is somebody else in the same torrent; a seed is a peer who has all of it."</dd>
                </dl>
            </details>
        </footer>
    }
}

/// Four steps for a new user, and what all users should know first.
#[component]
pub fn Empty() -> impl IntoView {
    view! {
        <section class="empty" aria-label="Getting started">
            <h2>"Nothing here yet"</h2>
            <ol>
                <li>"Paste a magnet link above, or choose a .torrent file, or drop one anywhere on this page."</li>
                <li>"Watch it arrive. Every piece is checked against the torrent before it is kept in this browser\u{2019}s own storage."</li>
                <li>"Save the finished files to your computer. While the page stays open, you pass on to others what you have."</li>
                <li>"To share files of your own, drop them or a folder here, and send the link to anyone who should have them."</li>
            </ol>
            <p>{STORAGE}</p>
            <p>{addresses()}</p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_computer_is_local() {
        assert!(
            ["localhost", "aqueduct.localhost", "127.0.0.1", "[::1]"]
                .into_iter()
                .all(is_local)
        );
        assert!(
            ![
                "bridge.example",
                "localhost.example",
                "10.0.0.1",
                "[2001:db8::1]"
            ]
            .into_iter()
            .any(is_local)
        );
    }
}
