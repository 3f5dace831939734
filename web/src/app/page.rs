//! The page as a whole: header, form, notices, torrents; and what belongs to the window (drops, visibility, the address).
#![allow(unreachable_pub, reason = "the component macro wraps each function in a module of its own, where the lint cannot see it used")]

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, DragEvent, File, HtmlElement};

use super::{Model, offer};
use crate::components::{About, AddForm, Empty, Header, Lost, Notices, OfferCard, Toast, TokenForm, TorrentList, is_torrent, take_torrents};
use crate::format::percent;
use crate::link::magnet_of_hash;
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
                <OfferCard/>
                <Notices/>
                <TokenForm/>
                <Lost/>
                <TorrentList/>
                <Show when=move || model.known.get() && model.torrents.with(Vec::is_empty)>
                    <Empty/>
                </Show>
            </main>
            <About/>
            <Toast/>
        </div>
    }
}

/// `#magnet:?…` in the address fills the form and does nothing more: a link must not start a download by itself.
fn draft_from_address(model: Model) {
    let Ok(hash) = window().location().hash() else { return };
    if let Some(magnet) = magnet_of_hash(&hash) {
        model.draft.set(magnet.to_owned());
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

/// Adds .torrent files; of anything else it asks whether to share it.
fn take(model: Model, data: &DataTransfer) {
    let files = data.files().into_iter().flat_map(|files| (0..files.length()).filter_map(move |i| files.get(i)));
    let (torrents, others): (Vec<File>, Vec<File>) = files.partition(|file| is_torrent(&file.name()));
    take_torrents(model, torrents.into_iter());
    if !others.is_empty() {
        model.ask_to_share(offer::dropped(data));
    }
}

/// Text that is dragged is the browser's business: it goes into the text field.
fn carries_files(event: &DragEvent) -> bool {
    event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
}

/// The whole window takes files. Returns whether something is being dragged over it.
fn accept_drops(model: Model) -> RwSignal<bool> {
    let over = RwSignal::new(false);
    window_event_listener(ev::dragover, move |event: DragEvent| {
        if carries_files(&event) {
            event.prevent_default();
            over.set(true);
        }
    });
    window_event_listener(ev::dragleave, move |event: DragEvent| {
        let left = event.related_target().and_then(|to| to.dyn_into::<HtmlElement>().ok()).is_none();
        over.set(!left);
    });
    window_event_listener(ev::drop, move |event: DragEvent| {
        over.set(false);
        if !carries_files(&event) {
            return;
        }
        event.prevent_default();
        if let Some(data) = event.data_transfer() {
            take(model, &data);
        }
    });
    over
}
