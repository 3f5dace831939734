//! Explanations of technical terms, behind a click.

use leptos::prelude::*;

use crate::texts::about as texts;

/// What the bridge is. This page came from it.
#[must_use]
pub fn bridge() -> String {
    texts::bridge(bridge_host())
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
