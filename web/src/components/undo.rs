//! What was removed a moment ago, and the way back.

use leptos::html::Button;
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
    let button = NodeRef::<Button>::new();
    Effect::new(move |_| {
        if button.get().is_some() {
            request_animation_frame(move || take_lost_focus(button));
        }
    });
    view! {
        <p class="notice row">
            <span id=text.clone()>{format!("Removed {name}.")}</span>
            <button type="button" node_ref=button aria-describedby=text on:click=move |_| model.send(&ToWorker::Undo(id))>"Undo"</button>
        </p>
    }
}

/// The button that removed the torrent is gone, and the focus with it: whoever works with the keyboard would begin again at the top.
fn take_lost_focus(button: NodeRef<Button>) {
    let nowhere = document().active_element().is_none_or(|active| active.tag_name() == "BODY");
    if let (true, Some(button)) = (nowhere, button.get_untracked()) {
        // A browser that refuses leaves the focus where it is.
        drop(button.focus());
    }
}
