//! The tabs of an opened torrent, after the pattern of the WAI-ARIA authoring practices: arrow keys
//! move between them, and the one that has the focus is selected.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use super::details::Details;
use super::files::Files;
use super::peers::Peers;
use super::pieces::Pieces;
use super::trackers::Trackers;
use crate::message::Pane;
use crate::page::components::focus::focus_on;
use crate::page::list_view::ListView;
use crate::page::model::Entry;
use crate::texts::opened as texts;

/// The tabs in their order.
const TABS: [Pane; 5] = [
    Pane::Files,
    Pane::Peers,
    Pane::Pieces,
    Pane::Trackers,
    Pane::Details,
];

/// A tab's name on the page, and in its id.
fn names(pane: Pane) -> (&'static str, &'static str) {
    match pane {
        Pane::Files => (texts::files(), "Files"),
        Pane::Peers => (texts::peers(), "Peers"),
        Pane::Pieces => (texts::pieces(), "Pieces"),
        Pane::Trackers => (texts::trackers(), "Trackers"),
        Pane::Details => (texts::details(), "Details"),
    }
}

/// The tabs, and what the selected one shows.
#[component]
pub fn Tabs(entry: Entry) -> impl IntoView {
    let list = expect_context::<ListView>();
    let labelled_by = move || tab_id(list.pane.get());
    view! {
        <div class="tabs" role="tablist" aria-label=texts::tabs() on:keydown=move |event| move_between(list, &event)>
            {TABS.map(|pane| view! { <Tab pane/> }).collect_view()}
        </div>
        <div class="pane" id="pane" role="tabpanel" tabindex="0" aria-labelledby=labelled_by>
            {move || match list.pane.get() {
                Pane::Files => view! { <Files entry/> }.into_any(),
                Pane::Peers => view! { <Peers entry/> }.into_any(),
                Pane::Pieces => view! { <Pieces entry/> }.into_any(),
                Pane::Trackers => view! { <Trackers entry/> }.into_any(),
                Pane::Details => view! { <Details entry/> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn Tab(pane: Pane) -> impl IntoView {
    let list = expect_context::<ListView>();
    let is_selected = move || list.pane.get() == pane;
    view! {
        <button
            type="button" role="tab" id=tab_id(pane) aria-controls="pane" aria-selected=move || is_selected().to_string()
            tabindex=move || if is_selected() { "0" } else { "-1" } on:click=move |_| list.pane.set(pane)
        >
            {names(pane).0}
        </button>
    }
}

fn tab_id(pane: Pane) -> String {
    format!("tab-{}", names(pane).1)
}

fn move_between(list: ListView, event: &KeyboardEvent) {
    let at = TABS
        .iter()
        .position(|pane| *pane == list.pane.get_untracked())
        .unwrap_or(0);
    let to = match event.key().as_str() {
        "ArrowRight" => (at + 1) % TABS.len(),
        "ArrowLeft" => (at + TABS.len() - 1) % TABS.len(),
        "Home" => 0,
        "End" => TABS.len() - 1,
        _ => return,
    };
    event.prevent_default();
    let pane = TABS[to];
    list.pane.set(pane);
    focus_on(&tab_id(pane));
}
