//! What was removed a moment ago, and the way back.

use leptos::html::Button;
use leptos::prelude::*;

use crate::message::{Removed, ToWorker};
use crate::page::Model;

/// A line for each removed torrent, with a button that takes it back; spoken by screen readers when
/// it appears.
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
    let Removed { id, name, .. } = removed;
    // Where the torrent stood among those that are still there, which have the odd numbers.
    let older = move || {
        model.removed.with(|all| {
            all.iter()
                .find(|removed| removed.id == id)
                .map(|removed| removed.older as usize)
        })
    };
    let place = move || {
        older().map(|older| (2 * model.torrents.with(Vec::len).saturating_sub(older)).to_string())
    };
    let text = format!("undo-{id}");
    let button = NodeRef::<Button>::new();
    Effect::new(move |_| {
        if button.get().is_some() {
            request_animation_frame(move || take_lost_focus(button));
        }
    });
    view! {
        <p class="notice row" style:order=place>
            <span id=text.clone()>{format!("Removed {name}.")}</span>
            <button type="button" node_ref=button aria-describedby=text on:click=move |_| model.send(&ToWorker::Undo(id))>"Undo"</button>
        </p>
    }
}

/// The button that removed the torrent is gone, and the focus with it: whoever works with the
/// keyboard would begin again at the top.
fn take_lost_focus(button: NodeRef<Button>) {
    let nowhere = document()
        .active_element()
        .is_none_or(|active| active.tag_name() == "BODY");
    if let (true, Some(button)) = (nowhere, button.get_untracked()) {
        // A browser that refuses leaves the focus where it is.
        drop(button.focus());
    }
}
