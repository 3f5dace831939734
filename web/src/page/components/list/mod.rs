//! The list of torrents: totals, filter and order; a compact row for each torrent.

mod row;
mod selection;
mod status;
mod toolbar;
mod undo;

use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{EventTarget, HtmlElement};

pub(super) use self::row::Row;
use self::toolbar::Toolbar;
use self::undo::Undo;
use crate::page::arrange::Filter;
use crate::page::components::focus::is_lost;
use crate::page::components::gradual::gradually;
use crate::page::list_view::ListView;
use crate::page::model::Model;
use crate::texts::list as texts;

/// The torrents that pass the filter. A removed one can be restored at its position.
#[component]
pub fn TorrentList() -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
    let built = gradually(move || list.rows().len());
    let rows = move || list.rows().into_iter().take(built.get());
    let keydown = move |event| untrack(|| move_focus(list, &rows().collect::<Vec<_>>(), &event));
    let focused = StoredValue::new_local(None::<HtmlElement>);
    window_event_listener(ev::focusin, move |event| {
        focused.set_value(element(event.target()).filter(is_in_list));
    });
    window_event_listener(ev::pointerdown, move |_| focused.set_value(None));
    Effect::new(move |_| {
        let restored = list.take_awaited_row(&rows().collect::<Vec<_>>());
        request_animation_frame(move || {
            restore_focus(focused);
            if let Some(row) = restored.filter(|_| is_lost()) {
                focus(row, "open");
            }
        });
    });
    view! {
        <div class="list">
            <Show when=move || list.has_several()>
                <Toolbar/>
            </Show>
            <div class="rows">
                <Undo/>
                <ul class="torrents" role="list" aria-label=texts::torrents() on:keydown=keydown>
                    <For each=rows key=|id| *id let:id>
                        {model.entry(id).map(|entry| view! { <Row entry/> })}
                    </For>
                </ul>
            </div>
            <NoMatch/>
        </div>
    }
}

/// Says that the filter hides everything.
#[component]
fn NoMatch() -> impl IntoView {
    let list = expect_context::<ListView>();
    let is_shown = Memo::new(move |_| list.has_several() && list.rows().is_empty());
    let show_all = move |_| list.filter.set(Filter::default());
    view! {
        <Show when=move || is_shown.get()>
            <p class="notice row">
                <span>{texts::no_match()}</span>
                <button type="button" on:click=show_all>{texts::show_all()}</button>
            </p>
        </Show>
    }
}

fn element(target: Option<EventTarget>) -> Option<HtmlElement> {
    target.and_then(|target| target.dyn_into().ok())
}

fn is_in_list(element: &HtmlElement) -> bool {
    element.closest(".torrents").ok().flatten().is_some()
}

/// Gives the focus back to a control that lost it because its row has another place now.
fn restore_focus(focused: StoredValue<Option<HtmlElement>, LocalStorage>) {
    let held = focused.try_get_value().flatten();
    if let Some(held) = held.filter(|held| is_lost() && held.is_connected()) {
        // If the browser refuses, the focus stays where it is.
        drop(held.focus());
    }
}

/// Moves the focus to the same control of another one of these rows. Only one row is in the tab order,
/// so that a long list is passed with a few presses of the Tab key.
fn move_focus(list: ListView, rows: &[u32], event: &KeyboardEvent) {
    if event.ctrl_key() || event.alt_key() || event.meta_key() {
        return;
    }
    let Some(at) = rows.iter().position(|id| list.is_current(*id)) else {
        return;
    };
    let to = match event.key().as_str() {
        "ArrowDown" => rows.get(at + 1),
        "ArrowUp" => at.checked_sub(1).and_then(|before| rows.get(before)),
        "Home" => rows.first(),
        "End" => rows.last(),
        _ => return,
    };
    event.prevent_default();
    if let Some(id) = to {
        let control =
            element(event.target()).and_then(|element| element.get_attribute("data-control"));
        list.set_current(*id);
        focus(*id, control.as_deref().unwrap_or("open"));
    }
}

/// Moves the focus to a control of a row, or to its name if that control is disabled.
pub(super) fn focus(row: u32, control: &str) {
    let find = |control: &str| {
        let selector = format!("#row-{row} [data-control={control}]:not(:disabled)");
        document().query_selector(&selector).ok().flatten()
    };
    let found = find(control).or_else(|| find("open"));
    // If the browser refuses, the focus stays where it is.
    drop(
        found
            .and_then(|element| element.dyn_into::<HtmlElement>().ok())
            .map(|element| element.focus()),
    );
}
