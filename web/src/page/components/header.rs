//! The head of the page.

use leptos::prelude::*;

use super::settings::SettingsButton;
use crate::texts::add;

/// The name, what this is in one line, and the settings.
#[component]
pub fn Header() -> impl IntoView {
    view! {
        <header class="head">
            <img class="logo" src="/icon.svg" alt="" width="40" height="40"/>
            <div class="title">
                <h1>"Aqueduct"</h1>
                <p class="tagline">{add::tagline()}</p>
            </div>
            <SettingsButton/>
        </header>
    }
}
