//! The form that adds torrents, by link or by file.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, File, FileList, HtmlInputElement};

use crate::app::Model;
use crate::message::ToWorker;

/// A .torrent file is at most this long (bytes); the reader of torrents refuses longer ones as well.
const MAX_TORRENT: f64 = 10e6;

/// Text field, button, file input, and what was wrong with what was put into them.
#[component]
pub fn AddForm() -> impl IntoView {
    let model = expect_context::<Model>();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        add_link(model);
    };
    view! {
        <form class="add" on:submit=submit novalidate>
            <label class="label" for="link">"Magnet link or info-hash"</label>
            <div class="add-row">
                <LinkField/>
                <button class="primary" type="submit">"Download"</button>
            </div>
            <FilePicker/>
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
            on:input=move |event| model.draft.set(event_target_value(&event))
        />
    }
}

#[component]
fn FilePicker() -> impl IntoView {
    let model = expect_context::<Model>();
    let change = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(files) = input.files() {
            take_files(model, &files);
        }
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
fn AddAlert() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div id="add-alert">
            {move || model.alert.get().map(|text| view! { <p class="notice error" role="alert">{text}</p> })}
        </div>
    }
}

fn add_link(model: Model) {
    let text = model.draft.get_untracked().trim().to_owned();
    model.alert.set(None);
    if text.is_empty() {
        model.alert.set(Some("Paste a magnet link or an info-hash of 40 hex digits first.".to_owned()));
    } else {
        model.send(&ToWorker::AddLink(text));
    }
}

/// Adds the .torrent files among what was chosen or dropped, and names what is none.
pub fn take_files(model: Model, files: &FileList) {
    model.alert.set(None);
    for file in (0..files.length()).filter_map(|i| files.get(i)) {
        spawn_local(async move {
            if let Err(why) = take_file(model, &file).await {
                model.alert.set(Some(why));
            }
        });
    }
}

async fn take_file(model: Model, file: &File) -> Result<(), String> {
    let name = file.name();
    if !name.to_lowercase().ends_with(".torrent") {
        return Err(format!("{name} is not a .torrent file. Choose one whose name ends in .torrent."));
    }
    if file.size() > MAX_TORRENT {
        return Err(format!("{name} has {} bytes; a .torrent file has at most {MAX_TORRENT}.", file.size()));
    }
    let buffer = JsFuture::from(file.array_buffer()).await.map_err(|_| format!("The browser could not read {name}."))?;
    model.send_file(name, &js_sys::Uint8Array::new(&buffer));
    Ok(())
}
