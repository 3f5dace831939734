//! The address of a file for players outside the browser.

use leptos::ev::Event;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDetailsElement, HtmlMediaElement};

use super::copy_field::CopyField;
use crate::message::ToWorker;
use crate::page::model::Model;
use crate::texts::player as texts;

/// Behind a click, the address of a file. Absent if the bridge does not run on this machine. It stays
/// while the bridge is restarted. The torrent's number changes when another tab leads.
#[component]
pub fn OtherPlayer(torrent: Memo<u32>, file: u32) -> impl IntoView {
    let model = expect_context::<Model>();
    let is_possible = Memo::new(move |_| model.players.with(|players| players.are_possible));
    let was_possible = Memo::new(move |before: Option<&bool>| {
        let is_possible = is_possible.get();
        is_possible || before.copied().unwrap_or(false)
    });
    view! {
        <Show when=move || was_possible.get()>
            <Disclosure torrent file is_possible/>
        </Show>
    }
}

#[component]
fn Disclosure(torrent: Memo<u32>, file: u32, is_possible: Memo<bool>) -> impl IntoView {
    let model = expect_context::<Model>();
    let (is_open, was_copied) = (RwSignal::new(false), RwSignal::new(false));
    let address = Memo::new(move |_| {
        let torrent = torrent.get();
        model.players.with(|players| {
            let mut all = players.addresses.iter();
            let found = all.find(|known| known.torrent == torrent && known.file == file);
            found.map(|known| known.url.clone())
        })
    });
    // Also after the bridge has forgotten it, as when it was restarted.
    Effect::new(move |_| {
        if is_open.get() && is_possible.get() && address.with(Option::is_none) {
            was_copied.set(false);
            let id = torrent.get();
            model.send(&ToWorker::MakeAddress { id, file });
        }
    });
    let toggle = move |event: Event| {
        let details = event.target().and_then(|t| t.dyn_into().ok());
        is_open.set(details.is_some_and(|details: HtmlDetailsElement| details.open()));
    };
    let text = Signal::derive(move || address.get().unwrap_or_default());
    let copied = Callback::new(move |()| {
        was_copied.set(true);
        pause();
    });
    let says = move || match (address.with(Option::is_some), was_copied.get()) {
        (false, _) => texts::no_address_yet(),
        (true, true) => texts::address_copied(),
        (true, false) => "",
    };
    view! {
        <details class="explain" on:toggle=toggle>
            <summary>{texts::other_player()}</summary>
            <p>{texts::other_player_how()}</p>
            <Show when=move || address.with(Option::is_some)>
                <CopyField id="player-address" label=texts::player_address() text copied/>
            </Show>
            <p role="status">{says}</p>
        </details>
    }
}

/// Stops the player of the page, since another one takes over.
fn pause() {
    let element = document().query_selector("dialog :is(audio, video)");
    let element = element.ok().flatten().map(JsCast::dyn_into);
    if let Some(Ok::<HtmlMediaElement, _>(element)) = element {
        // Fails only for an element that is not in the document.
        drop(element.pause());
    }
}
