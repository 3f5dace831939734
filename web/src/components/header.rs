//! The page's head, and what a newcomer sees while there is no torrent.

use leptos::prelude::*;

/// Name, one line on what this is, and how the line to the bridge stands.
#[component]
pub fn Header() -> impl IntoView {
    view! {
        <header class="head">
            <img class="logo" src="/icon.svg" alt="" width="40" height="40"/>
            <div>
                <h1>"Aqueduct"</h1>
                <p class="tagline">"Download and share torrents from ordinary swarms, right in this tab."</p>
            </div>
        </header>
    }
}

/// Four sentences for a newcomer.
#[component]
pub fn Empty() -> impl IntoView {
    view! {
        <section class="empty" aria-label="Getting started">
            <h2>"Nothing here yet"</h2>
            <ol>
                <li>"Paste a magnet link above, or choose a .torrent file, or drop one anywhere on this page."</li>
                <li>"Watch it arrive. Every piece is checked against the torrent before it is kept in this browser's own storage."</li>
                <li>"Save the finished files to your computer. While the page stays open, you pass on to others what you have."</li>
                <li>"To give something yourself, drop files or a folder here, and send the link to whom you like."</li>
            </ol>
        </section>
    }
}
