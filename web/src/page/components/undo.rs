//! Removed torrents that can still be restored.

use leptos::html::Button;
use leptos::prelude::*;

use crate::message::{Removed, ToWorker};
use crate::page::model::Model;

/// A row for each removed torrent, with a button that restores it. Screen readers read it when it
/// appears.
#[component]
pub fn Undo() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div class="undo" aria-live="polite">
            <For each=move || model.removed.get() key=|removed| removed.id let:removed>
                <Row removed/>
            </For>
        </div>
    }
}

#[component]
fn Row(removed: Removed) -> impl IntoView {
    let model = expect_context::<Model>();
    let Removed { id, name, .. } = removed;
    // Its position among the torrents of the list, which have the odd numbers.
    let older = move || {
        model.removed.with(|all| {
            all.iter()
                .find(|removed| removed.id == id)
                .map(|removed| removed.older as usize)
        })
    };
    let position = move || {
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
        <p class="notice row" style:order=position>
            <span id=text.clone()>{format!("Removed {name}.")}</span>
            <button type="button" node_ref=button aria-describedby=text on:click=move |_| model.send(&ToWorker::Undo(id))>"Undo"</button>
        </p>
    }
}

/// Moves the focus to the button. The button that removed the torrent is gone, and the focus with
/// it, so a keyboard user would have to start again at the top.
fn take_lost_focus(button: NodeRef<Button>) {
    let nowhere = document()
        .active_element()
        .is_none_or(|active| active.tag_name() == "BODY");
    if let (true, Some(button)) = (nowhere, button.get_untracked()) {
        // If the browser refuses, the focus stays where it is.
        drop(button.focus());
    }
}
