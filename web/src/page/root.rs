//! The whole page: header, form, notices, torrents; and the events of the window (drops, visibility,
//! address).
#![allow(
    unreachable_pub,
    reason = "the component macro wraps each function in a module of its own, where the lint cannot see it used"
)]

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, DragEvent, HtmlElement, HtmlInputElement};

use super::awake::keep_awake;
use super::components::{
    About, AddForm, CompileEarly, Empty, Header, Lost, Notices, OfferCard, Opened, Player,
    PlayerDialog, Savings, Toast, TokenForm, TorrentList, take_torrents,
};
use super::icon::show_progress;
use super::launch;
use super::list_view::ListView;
use super::model::Model;
use super::notification::notify_when_complete;
use super::offer;
use super::preferences::Preferences;
use super::rates::Rates;
use super::screen::keep_screen_on;
use super::streaming::Streaming;
use crate::link::{begins_link, links_in};
use crate::message::{ToWorker, View};
use crate::texts::add;

/// The whole page.
#[component]
pub(crate) fn Page() -> impl IntoView {
    let model = Model::new();
    provide_context(model);
    let preferences = Preferences::new(model);
    provide_context(preferences);
    provide_context(Player::new());
    provide_context(Streaming::start(model));
    let list = ListView::new(model);
    provide_context(list);
    report_view(model, list);
    draft_from_address(model);
    window_event_listener(ev::hashchange, move |_| draft_from_address(model));
    window_event_listener(ev::visibilitychange, move |_| model.report_visibility());
    provide_context(Rates::new(model));
    show_progress(model);
    keep_awake(model);
    launch::accept(model);
    keep_screen_on(model, preferences);
    notify_when_complete(model, preferences);
    ask_before_leaving(model);
    let over = accept_drops(model);
    let is_open = Memo::new(move |_| list.opened().is_some());
    let is_chosen = Memo::new(move |_| list.is_chosen());
    view! {
        <div class="page" class:several=move || list.has_several()>
            <Header/>
            <main>
                <Show when=move || model.can_add()>
                    <AddForm/>
                    <OfferCard/>
                </Show>
                <Notices/>
                <TokenForm/>
                <Lost/>
                <div class="work" class:split=move || list.has_several() && is_open.get() class:chosen=move || is_chosen.get()>
                    <TorrentList/>
                    <Opened/>
                </div>
                <Show when=move || model.has_state.get() && model.torrents.with(Vec::is_empty)>
                    <Empty/>
                </Show>
            </main>
            <About/>
            <Savings/>
            <CompileEarly/>
            <PlayerDialog/>
            <Toast/>
            <Show when=move || over.get()><p class="drop-hint">{add::drop_here()}</p></Show>
        </div>
    }
}

/// Fills the form with the magnet link in the page's address (`#magnet:?…`). It does nothing else,
/// since a link must not start a download.
fn draft_from_address(model: Model) {
    if let Ok(hash) = window().location().hash() {
        launch::draft(model, &hash);
    }
}

/// Reports to the worker which tab of which torrent is shown, since only that is sent. It is
/// reported again when the metadata arrive, or the torrent has been created of the user's own files.
fn report_view(model: Model, list: ListView) {
    let shown = Memo::new(move |_| {
        let torrent = list.opened()?;
        let entry = model.entry(torrent)?;
        let is_known = entry
            .torrent
            .with(|t| t.progress.total.is_some() && t.magnet.is_some());
        let pane = list.pane.get();
        Some((View { torrent, pane }, is_known))
    });
    Effect::new(move |_| model.send(&ToWorker::Show(shown.get().map(|(view, _)| view))));
}

/// Lets the browser ask, with its own text, before something is lost permanently.
fn ask_before_leaving(model: Model) {
    window_event_listener(ev::beforeunload, move |event| {
        if model.would_lose() {
            event.prevent_default();
        }
    });
}

/// Adds .torrent files, and asks whether to share other files.
fn handle_files(model: Model, data: &DataTransfer) {
    let (torrents, others) = offer::dropped(data);
    take_torrents(model, torrents.into_iter());
    if !others.is_empty() {
        model.offer_dropped(others);
    }
}

/// What is dragged over the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dragged {
    Files,
    Links,
}

/// The kind of the dragged item, if the page accepts it. Text over a text field is left to the
/// browser.
fn dragged(event: &DragEvent) -> Option<Dragged> {
    let types = event.data_transfer()?.types();
    let carries = |kind: &str| types.includes(&kind.into(), 0);
    let over_field = event
        .target()
        .is_some_and(|target| target.dyn_into::<HtmlInputElement>().is_ok());
    match () {
        () if carries("Files") => Some(Dragged::Files),
        () if (carries("text/uri-list") || carries("text/plain")) && !over_field => {
            Some(Dragged::Links)
        }
        () => None,
    }
}

/// Adds the links in dropped text, as if they had been typed.
fn handle_links(model: Model, data: &DataTransfer) {
    let text = |kind: &str| data.get_data(kind).unwrap_or_default();
    let (list, plain) = (text("text/uri-list"), text("text/plain"));
    // Lines that begin with a number sign are comments (RFC 2483).
    let list: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let mut links = links_in(&if list.is_empty() {
        plain
    } else {
        list.join("\n")
    });
    // Other text is probably not intended as a link.
    links.retain(|link| begins_link(link));
    if !links.is_empty() {
        model.add_links(&links);
    }
}

/// Accepts drops on the whole window. Returns whether something acceptable is dragged over it.
fn accept_drops(model: Model) -> RwSignal<bool> {
    let over = RwSignal::new(false);
    window_event_listener(ev::dragover, move |event: DragEvent| {
        if dragged(&event).is_some() {
            event.prevent_default();
            over.set(true);
        }
    });
    window_event_listener(ev::dragleave, move |event: DragEvent| {
        let left = event
            .related_target()
            .and_then(|to| to.dyn_into::<HtmlElement>().ok())
            .is_none();
        over.set(!left);
    });
    window_event_listener(ev::drop, move |event: DragEvent| {
        over.set(false);
        let (Some(dragged), Some(data)) = (dragged(&event), event.data_transfer()) else {
            return;
        };
        event.prevent_default();
        match dragged {
            _ if !untrack(|| model.can_add()) => {}
            Dragged::Files => handle_files(model, &data),
            Dragged::Links => handle_links(model, &data),
        }
    });
    over
}
