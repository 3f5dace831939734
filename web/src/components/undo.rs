//! What was removed a moment ago, and the way back.

use leptos::prelude::*;

use crate::app::Model;
use crate::message::{Removed, ToWorker};

/// A line for each removed torrent, with a button that takes it back; spoken by screen readers when it appears.
#[component]
pub fn Undo() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div class="undo" aria-live="polite">
            <For each=move || model.removed.get() key=|removed| removed.id let:removed>
                <Line removed/>
            </For>
        </div>
    }
}

#[component]
fn Line(removed: Removed) -> impl IntoView {
    let model = expect_context::<Model>();
    let Removed { id, name } = removed;
    let text = format!("undo-{id}");
    view! {
        <p class="notice">
            <span id=text.clone()>{format!("Removed {name}.")}</span>
            <button type="button" aria-describedby=text on:click=move |_| model.send(&ToWorker::Undo(id))>"Undo"</button>
        </p>
    }
}
