//! Messages about the page as a whole: what keeps it from working, what went wrong, and short
//! confirmations.

use leptos::ev::FocusEvent;
use leptos::prelude::*;
use web_sys::HtmlInputElement;

use super::explain::{Explain, bridge};
use crate::message::Bridge;
use crate::page::Model;
use crate::page::words;

/// The page's notices, most serious first; nothing when all is well.
#[component]
pub fn Notices() -> impl IntoView {
    let model = expect_context::<Model>();
    let blocked = move || model.blocked.with(|why| why.as_ref().map(words::blocked));
    view! {
        {move || blocked().map(|text| view! { <p class="notice warning" role="alert">{text}</p> })}
        <For each=move || model.troubles.get() key=Clone::clone let:text>
            <Trouble text/>
        </For>
        <LineNotice/>
        <Show when=move || model.link.with(Option::is_some)>
            <LinkNotice/>
        </Show>
    }
}

/// What went wrong with a torrent; it stays until the user has seen it.
#[component]
fn Trouble(text: String) -> impl IntoView {
    let model = expect_context::<Model>();
    let shown = text.clone();
    let dismiss = move |_| {
        model
            .troubles
            .update(|all| all.retain(|other| *other != text))
    };
    view! {
        <div class="notice error row">
            <p role="alert">{shown}</p>
            <button type="button" class="quiet" on:click=dismiss>"Dismiss"</button>
        </div>
    }
}

/// How the line to the bridge is, unless it is well. The seconds that it counts down are not
/// spoken.
#[component]
fn LineNotice() -> impl IntoView {
    let model = expect_context::<Model>();
    let text = Memo::new(move |_| model.bridge.with(words::bridge));
    let again = Memo::new(move |_| model.bridge.with(words::bridge_again));
    let trouble = move || {
        model.blocked.with(Option::is_none)
            && model
                .bridge
                .with(|line| matches!(line, Bridge::Waiting { .. } | Bridge::Refused(_)))
    };
    view! {
        <Show when=trouble>
            <div class="notice">
                <p class="status"><span role="status">{move || text.get()}</span><span>{move || again.get()}</span></p>
                <Explain question="What is the bridge?">{bridge()}</Explain>
            </div>
        </Show>
    }
}

/// A link to share, for users whose browser withholds the clipboard from the page.
#[component]
fn LinkNotice() -> impl IntoView {
    let model = expect_context::<Model>();
    let select = |event: FocusEvent| event_target::<HtmlInputElement>(&event).select();
    view! {
        <div class="notice">
            <label class="label" for="to-copy">"Copy this link"</label>
            <div class="add-row">
                <input id="to-copy" type="text" readonly prop:value=move || model.link.get().unwrap_or_default() on:focus=select/>
                <button type="button" on:click=move |_| model.link.set(None)>"Dismiss"</button>
            </div>
        </div>
    }
}

/// What went well, at the foot of the window for some seconds, wherever the page is scrolled to.
#[component]
pub fn Toast() -> impl IntoView {
    let model = expect_context::<Model>();
    view! { <p class="toast" aria-live="polite">{move || model.notice.get()}</p> }
}
