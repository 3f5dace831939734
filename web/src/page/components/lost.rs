//! What the browser has deleted of an earlier visit, and the offer to fetch it again.

use leptos::prelude::*;

use crate::page::{Kept, Model};

/// A warning with two buttons, while there is something that was lost.
#[component]
pub fn Lost() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <Show when=move || model.lost.with(|lost| !lost.is_empty())>
            <div class="notice warning lost">
                <p id="lost" role="alert">{move || model.lost.with(|lost| text(lost))}</p>
                <div class="buttons">
                    <button type="button" aria-describedby="lost" on:click=move |_| model.settle_lost(true)>"Fetch again"</button>
                    <button type="button" class="quiet" aria-describedby="lost" on:click=move |_| model.settle_lost(false)>"Dismiss"</button>
                </div>
            </div>
        </Show>
    }
}

fn text(lost: &[Kept]) -> String {
    let names: Vec<&str> = lost.iter().map(|kept| kept.name.as_str()).collect();
    format!(
        "What was stored here of {} is gone. Browsers delete it when space runs low, or when a site\u{2019}s data are cleared.",
        names.join(", ")
    )
}
