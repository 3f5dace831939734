//! The head of the page.

use leptos::prelude::*;

use super::settings::SettingsButton;

/// The name, what this is in one line, and the settings.
#[component]
pub fn Header() -> impl IntoView {
    view! {
        <header class="head">
            <img class="logo" src="/icon.svg" alt="" width="40" height="40"/>
            <div class="title">
                <h1>"Aqueduct"</h1>
                <p class="tagline">"Download and share torrents, right in this tab."</p>
            </div>
            <SettingsButton/>
        </header>
    }
}
