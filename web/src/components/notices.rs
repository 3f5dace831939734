//! Messages about the page as a whole: what keeps it from working, and short confirmations.

use leptos::prelude::*;

use crate::app::Model;
use crate::message::Bridge;
use crate::words;

/// The page's notices, most serious first; nothing when all is well.
#[component]
pub fn Notices() -> impl IntoView {
    let model = expect_context::<Model>();
    let blocked = move || model.blocked.with(|why| why.as_ref().map(words::blocked));
    view! {
        {move || blocked().map(|text| view! { <p class="notice warning" role="alert">{text}</p> })}
        <LineNotice/>
        <p class="toast" aria-live="polite">{move || model.notice.get()}</p>
    }
}

/// How the line to the bridge is, unless it is well. Not spoken: it counts down the seconds.
#[component]
fn LineNotice() -> impl IntoView {
    let model = expect_context::<Model>();
    let text = Memo::new(move |_| model.bridge.with(words::bridge));
    let trouble =
        move || model.blocked.with(Option::is_none) && model.bridge.with(|line| matches!(line, Bridge::Waiting { .. } | Bridge::Refused(_)));
    view! {
        <Show when=trouble>
            <p class="notice">{move || text.get()}</p>
        </Show>
    }
}
