//! Selecting several torrents, and buttons that act on all of them.

use leptos::ev::Event;
use leptos::prelude::*;
use web_sys::HtmlInputElement;

use crate::message::{Phase, ToWorker, Torrent};
use crate::page::list_view::ListView;
use crate::page::model::Model;
use crate::texts::list as texts;

/// A checkbox that selects all torrents of the list and, while any are selected, the buttons.
#[component]
pub fn Selection() -> impl IntoView {
    let list = expect_context::<ListView>();
    let number = Memo::new(move |_| list.selection().len());
    let is_all = Memo::new(move |_| number.get() > 0 && number.get() == list.rows().len());
    let is_some = move || number.get() > 0 && !is_all.get();
    let change = move |event: Event| {
        list.select_all(event_target::<HtmlInputElement>(&event).checked());
    };
    let text = move || match number.get() {
        0 => texts::select_all().to_owned(),
        number => texts::selected(number),
    };
    view! {
        <div class="selection">
            <label class="select-all">
                <input
                    type="checkbox" aria-label=texts::select_all()
                    prop:checked=move || is_all.get() prop:indeterminate=is_some on:change=change
                />
                <span aria-live="polite">{text}</span>
            </label>
            <Show when=move || { number.get() > 0 }>
                <Actions/>
            </Show>
        </div>
    }
}

/// Whether a torrent is paused, or stopped by a failure.
fn is_stopped(torrent: &Torrent) -> bool {
    matches!(torrent.phase, Phase::Paused | Phase::Error)
}

/// Whether a torrent is running, so that it can be paused. One that is being created cannot.
fn is_running(torrent: &Torrent) -> bool {
    torrent.magnet.is_some() && !is_stopped(torrent)
}

#[component]
fn Actions() -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
    let with = move |holds: fn(&Torrent) -> bool| {
        let mut ids = list.selection();
        ids.retain(|id| {
            model
                .entry(*id)
                .is_some_and(|entry| entry.torrent.with(holds))
        });
        ids
    };
    let act = move |holds: fn(&Torrent) -> bool, message: fn(u32) -> ToWorker| {
        let ids = untrack(|| with(holds));
        ids.into_iter().for_each(|id| model.send(&message(id)));
    };
    let remove = move |_| {
        act(|_| true, ToWorker::Remove);
        list.select_all(false);
    };
    view! {
        <div class="buttons" role="group" aria-label=texts::selected_torrents()>
            <button
                type="button" disabled=move || with(is_running).is_empty()
                on:click=move |_| act(is_running, ToWorker::Pause)
            >
                {texts::pause_selected()}
            </button>
            <button
                type="button" disabled=move || with(is_stopped).is_empty()
                on:click=move |_| act(is_stopped, ToWorker::Resume)
            >
                {texts::resume_selected()}
            </button>
            <button type="button" class="quiet" on:click=remove>{texts::remove_selected()}</button>
        </div>
    }
}
