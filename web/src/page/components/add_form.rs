//! The form that adds torrents, by link or by file, and that shares files.

use aqueduct_core::types::visible;
use js_sys::Reflect;
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, File, HtmlInputElement};

use super::explain::Explain;
use crate::browser::error::reason;
use crate::page::model::{Model, Subject};
use crate::page::offer::{Offer, is_torrent};
use crate::texts::{about, add as texts};

/// The maximum size of a .torrent file in bytes; the parser has the same limit.
const MAX_TORRENT: f64 = 10e6;

/// Text field, button, file inputs, and the reasons why something was not added.
#[component]
pub fn AddForm() -> impl IntoView {
    let model = expect_context::<Model>();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        model.submit();
    };
    view! {
        <form class="add" on:submit=submit novalidate>
            <label class="label" for="link">{texts::link()}</label>
            <div class="add-row">
                <LinkField/>
                <button class="primary" type="submit">{texts::download()}</button>
            </div>
            <Explain question=texts::what_is_a_link()>{about::magnet_link()} " " {about::info_hash()}</Explain>
            <FilePicker/>
            <SharePicker/>
            <AddAlert/>
        </form>
    }
}

#[component]
fn LinkField() -> impl IntoView {
    let model = expect_context::<Model>();
    let invalid = move || model.alerts.is_text_field_wrong().to_string();
    view! {
        <input
            id="link" type="text" name="link" autocomplete="off" spellcheck="false" autocapitalize="off"
            placeholder="magnet:?xt=urn:btih:…"
            aria-describedby="add-alert" aria-invalid=invalid
            prop:value=move || model.draft.get()
            on:input=move |event| {
                model.draft.set(event_target_value(&event));
                model.alerts.clear();
            }
        />
    }
}

#[component]
fn FilePicker() -> impl IntoView {
    let model = expect_context::<Model>();
    let change = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        let files = input.files();
        take_torrents(
            model,
            files
                .iter()
                .flat_map(|files| (0..files.length()).filter_map(|i| files.get(i))),
        );
        input.set_value("");
    };
    view! {
        <p class="pick">
            <span>{texts::or_choose()}</span>
            <label class="file">
                {texts::torrent_file()}
                <input type="file" accept=".torrent,application/x-bittorrent" multiple on:change=change/>
            </label>
            <span class="wide">{texts::or_drop_torrent()}</span>
        </p>
    }
}

#[component]
fn SharePicker() -> impl IntoView {
    let model = expect_context::<Model>();
    let change = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        let offer = input.files().and_then(|files| Offer::from_list(&files));
        model.alerts.clear();
        if offer.is_none() {
            let why = texts::empty_folder().to_owned();
            model.alerts.show(Subject::Other, why);
        }
        model.offer.set(offer);
        input.set_value("");
    };
    view! {
        <p class="pick">
            <span>{texts::to_share()}</span>
            <label class="file">
                {texts::share_files()}
                <input type="file" multiple on:change=change/>
            </label>
            {can_choose_folders().then(|| view! { <FolderInput change/> })}
            <span class="wide">{texts::or_drop_files()}</span>
        </p>
    }
}

/// An input for a whole folder. That is an attribute of browsers, not of HTML.
#[component]
fn FolderInput(change: impl Fn(Event) + 'static) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            // Fails only for an invalid attribute name.
            drop(input.set_attribute("webkitdirectory", ""));
        }
    });
    view! {
        <label class="file">
            {texts::share_folder()}
            <input node_ref=input type="file" on:change=change/>
        </label>
    }
}

/// Whether the browser has inputs for whole folders.
fn can_choose_folders() -> bool {
    let input = document().create_element("input");
    input.is_ok_and(|input| Reflect::has(&input, &"webkitdirectory".into()) == Ok(true))
}

#[component]
fn AddAlert() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div id="add-alert">
            <For each=move || model.alerts.get() key=Clone::clone let:alert>
                <p class="notice error" role="alert">{alert.1}</p>
            </For>
        </div>
    }
}

/// Adds the .torrent files among these, and reports those that are not.
pub fn take_torrents(model: Model, files: impl Iterator<Item = File>) {
    model.alerts.clear();
    for file in files {
        spawn_local(async move {
            if let Err(why) = add_file(model, &file).await {
                model.alerts.show(Subject::Other, why);
            }
        });
    }
}

async fn add_file(model: Model, file: &File) -> Result<(), String> {
    let name = file.name();
    let shown = visible(&name);
    if !is_torrent(&name) {
        return Err(texts::not_a_torrent(shown));
    }
    if file.size() > MAX_TORRENT {
        return Err(texts::too_large(shown));
    }
    let unreadable = |error: JsValue| texts::unreadable(&shown, reason(&error));
    let buffer = JsFuture::from(file.array_buffer())
        .await
        .map_err(unreadable)?;
    model.add_file(name, &js_sys::Uint8Array::new(&buffer));
    Ok(())
}
