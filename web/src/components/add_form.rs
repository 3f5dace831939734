//! The form that adds torrents, by link or by file.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, File, HtmlInputElement};

use crate::app::{Model, Offer};

/// A .torrent file is at most this long (bytes); the reader of torrents refuses longer ones as well.
const MAX_TORRENT: f64 = 10e6;

/// Text field, button, file input, and what was wrong with what was put into them.
#[component]
pub fn AddForm() -> impl IntoView {
    let model = expect_context::<Model>();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        model.submit();
    };
    view! {
        <form class="add" on:submit=submit novalidate>
            <label class="label" for="link">"Magnet link or info-hash"</label>
            <div class="add-row">
                <LinkField/>
                <button class="primary" type="submit">"Download"</button>
            </div>
            <FilePicker/>
            <GivePicker/>
            <AddAlert/>
        </form>
    }
}

#[component]
fn LinkField() -> impl IntoView {
    let model = expect_context::<Model>();
    let invalid = move || model.alert.with(Option::is_some).to_string();
    view! {
        <input
            id="link" type="text" name="link" autocomplete="off" spellcheck="false" autocapitalize="off"
            placeholder="magnet:?xt=urn:btih:…"
            aria-describedby="add-alert" aria-invalid=invalid
            prop:value=move || model.draft.get()
            on:input=move |event| {
                model.draft.set(event_target_value(&event));
                model.alert.set(None);
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
        take_torrents(model, files.iter().flat_map(|files| (0..files.length()).filter_map(|i| files.get(i))));
        input.set_value("");
    };
    view! {
        <p class="pick">
            <span>"or choose a"</span>
            <label class="file">
                "Torrent file"
                <input type="file" accept=".torrent,application/x-bittorrent" multiple on:change=change/>
            </label>
            <span class="wide">"or drop one anywhere on this page"</span>
        </p>
    }
}

#[component]
fn GivePicker() -> impl IntoView {
    let model = expect_context::<Model>();
    let change = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        model.offer.set(input.files().and_then(|files| Offer::of_list(&files)));
        input.set_value("");
    };
    view! {
        <p class="pick">
            <span>"Something to give?"</span>
            <label class="file">
                "Share files"
                <input type="file" multiple on:change=change/>
            </label>
            <span class="wide">"or drop files or a folder"</span>
        </p>
    }
}

#[component]
fn AddAlert() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div id="add-alert">
            {move || model.alert.get().map(|text| view! { <p class="notice error" role="alert">{text}</p> })}
        </div>
    }
}

/// Whether a file is a .torrent, going by its name.
#[must_use]
pub fn is_torrent(name: &str) -> bool {
    name.to_lowercase().ends_with(".torrent")
}

/// Adds the .torrent files that were chosen or dropped, and names what is none.
pub fn take_torrents(model: Model, files: impl Iterator<Item = File>) {
    model.alert.set(None);
    for file in files {
        spawn_local(async move {
            if let Err(why) = take_file(model, &file).await {
                model.alert.set(Some(why));
            }
        });
    }
}

async fn take_file(model: Model, file: &File) -> Result<(), String> {
    let name = file.name();
    if !is_torrent(&name) {
        return Err(format!("{name} is not a .torrent file. Choose one whose name ends in .torrent, or give it to others with \"Share files\"."));
    }
    if file.size() > MAX_TORRENT {
        return Err(format!("{name} has {} bytes; a .torrent file has at most {MAX_TORRENT}.", file.size()));
    }
    let buffer = JsFuture::from(file.array_buffer()).await.map_err(|_| format!("The browser could not read {name}."))?;
    model.send_file(name, &js_sys::Uint8Array::new(&buffer));
    Ok(())
}
