//! Removed torrents that can still be restored.

use leptos::html::Button;
use leptos::prelude::*;

use crate::message::{Removed, ToWorker};
use crate::page::arrange::Order;
use crate::page::components::focus;
use crate::page::list_view::ListView;
use crate::page::model::Model;
use crate::texts::list as texts;

/// The most removed torrents that have a notice each. More of them share one.
const MAX_NOTICES: usize = 3;

/// Notices with a button that restores what was removed. Screen readers read them when they appear.
#[component]
pub fn Undo() -> impl IntoView {
    let model = expect_context::<Model>();
    let is_many = Memo::new(move |_| model.removed.with(|all| all.len() > MAX_NOTICES));
    let single = move || {
        if is_many.get() {
            Vec::new()
        } else {
            model.removed.get()
        }
    };
    view! {
        <div class="undo" aria-live="polite">
            <For each=single key=|removed| removed.id let:removed>
                <One removed/>
            </For>
            <Show when=move || is_many.get()>
                <Many/>
            </Show>
        </div>
    }
}

#[component]
fn One(removed: Removed) -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
    let Removed { id, name, .. } = removed;
    let older = move || {
        model.removed.with(|all| {
            all.iter()
                .find(|removed| removed.id == id)
                .map(|removed| removed.older as usize)
        })
    };
    // Its position among the rows, which have the odd numbers, if they are in order of their age.
    // Otherwise it is above them.
    let position = move || {
        let is_by_age = list.order.get() == Order::default();
        older()
            .filter(|_| is_by_age)
            .map(|older| (2 * model.torrents.with(Vec::len).saturating_sub(older)).to_string())
    };
    let text = format!("undo-{id}");
    let undo = move || {
        list.await_row(id);
        model.send(&ToWorker::Undo(id));
    };
    view! {
        <p class="notice row" style:order=position>
            <span id=text.clone()>{texts::removed(name)}</span>
            <UndoButton text undo=undo/>
        </p>
    }
}

#[component]
fn Many() -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
    let text = move || texts::removed_many(model.removed.with(Vec::len));
    let undo = move || {
        let all = model.removed.get_untracked();
        if let Some(first) = all.first() {
            list.await_row(first.id);
        }
        all.iter()
            .for_each(|removed| model.send(&ToWorker::Undo(removed.id)));
    };
    view! {
        <p class="notice row">
            <span id="undo-many">{text}</span>
            <UndoButton text="undo-many".to_owned() undo/>
        </p>
    }
}

/// A button that is described by the element with this id.
#[component]
fn UndoButton(text: String, undo: impl Fn() + 'static) -> impl IntoView {
    let button = NodeRef::<Button>::new();
    Effect::new(move |_| {
        if button.get().is_some() {
            request_animation_frame(move || take_lost_focus(button));
        }
    });
    view! { <button type="button" node_ref=button aria-describedby=text on:click=move |_| undo()>{texts::undo()}</button> }
}

/// Moves the focus to the button. The button that removed the torrent is gone, and the focus with
/// it, so a keyboard user would have to start again at the top.
fn take_lost_focus(button: NodeRef<Button>) {
    // The notice may be gone by now.
    if let (true, Some(button)) = (focus::is_lost(), button.try_get_untracked().flatten()) {
        // If the browser refuses, the focus stays where it is.
        drop(button.focus());
    }
}
