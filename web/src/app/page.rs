//! The page as a whole: header, form, notices, torrents; and what belongs to the window (drops, visibility, the address).
#![allow(unreachable_pub, reason = "the component macro wraps each function in a module of its own, where the lint cannot see it used")]

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{DragEvent, HtmlElement};

use super::Model;
use crate::components::{AddForm, Empty, Header, Lost, Notices, TokenForm, TorrentList, Undo, take_files};
use crate::format::percent;
use crate::message::{Phase, ToWorker};

/// The whole page.
#[component]
pub(super) fn Page() -> impl IntoView {
    let model = Model::new();
    provide_context(model);
    draft_from_address(model);
    window_event_listener(ev::hashchange, move |_| draft_from_address(model));
    tell_visibility(model);
    Effect::new(move |_| document().set_title(&title(model)));
    let over = accept_drops(model);
    view! {
        <div class="page" class:dropping=move || over.get()>
            <Header/>
            <main>
                <AddForm/>
                <Notices/>
                <TokenForm/>
                <Lost/>
                <Undo/>
                <TorrentList/>
                <Show when=move || model.known.get() && model.torrents.with(Vec::is_empty)>
                    <Empty/>
                </Show>
            </main>
        </div>
    }
}

/// `#magnet:?…` in the address fills the form and does nothing more: a link must not start a download by itself.
fn draft_from_address(model: Model) {
    let Ok(hash) = window().location().hash() else { return };
    let text = hash.trim_start_matches('#');
    if text.starts_with("magnet:") {
        model.draft.set(text.to_owned());
    }
}

/// The window's title: how far the downloads are, while there are any.
fn title(model: Model) -> String {
    let entries = model.torrents.get();
    let sums = entries.iter().filter_map(|entry| entry.view.with(|t| (t.phase == Phase::Downloading).then_some((t.done, t.wanted))));
    match sums.reduce(|(done, wanted), (d, w)| (done + d, wanted + w)) {
        Some((done, wanted)) => format!("{} % \u{b7} Aqueduct", percent(done, wanted)),
        None => "Aqueduct".to_owned(),
    }
}

/// A page that nobody sees needs no numbers.
fn tell_visibility(model: Model) {
    let tell = move || model.send(&ToWorker::Visible(!document().hidden()));
    window_event_listener(ev::visibilitychange, move |_| tell());
}

/// The whole window takes files. Returns whether something is being dragged over it.
fn accept_drops(model: Model) -> RwSignal<bool> {
    let over = RwSignal::new(false);
    window_event_listener(ev::dragover, move |event: DragEvent| {
        event.prevent_default();
        over.set(true);
    });
    window_event_listener(ev::dragleave, move |event: DragEvent| {
        let left = event.related_target().and_then(|to| to.dyn_into::<HtmlElement>().ok()).is_none();
        over.set(!left);
    });
    window_event_listener(ev::drop, move |event: DragEvent| {
        event.prevent_default();
        over.set(false);
        if let Some(files) = event.data_transfer().and_then(|data| data.files()) {
            take_files(model, &files);
        }
    });
    over
}
