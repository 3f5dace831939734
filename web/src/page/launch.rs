//! What the system opens with the installed page: .torrent files and magnet links.

use js_sys::{Array, Function, Reflect, decode_uri_component};
use leptos::prelude::{GetUntracked, Set, window};
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileSystemFileHandle, Url};

use super::components::take_torrents;
use super::model::Model;
use crate::link::{is_escaped, magnet_of_hash};

/// Accepts what the page was opened with, or is opened with later. Only some browsers can install
/// pages that open files.
pub(super) fn accept(model: Model) {
    let queue = Reflect::get(&window(), &"launchQueue".into()).unwrap_or_default();
    let set_consumer = Reflect::get(&queue, &"setConsumer".into());
    let Ok(set_consumer) = set_consumer.and_then(JsCast::dyn_into::<Function>) else {
        return;
    };
    let consumer = Closure::<dyn Fn(JsValue)>::new(move |launch: JsValue| handle(model, &launch));
    // Fails only for what is not a function.
    drop(set_consumer.call1(&queue, &consumer.into_js_value()));
}

fn handle(model: Model, launch: &JsValue) {
    let field = |name: &str| Reflect::get(launch, &name.into()).unwrap_or_default();
    let address = field("targetURL").as_string();
    if let Some(address) = address.and_then(|address| Url::new(&address).ok()) {
        draft(model, &address.hash());
    }
    let files = field("files").dyn_into::<Array>().unwrap_or_default();
    for handle in files.iter().filter_map(|file| file.dyn_into().ok()) {
        spawn_local(async move {
            // Fails for a file that was removed meanwhile.
            if let Some(file) = read(handle).await {
                take_torrents(model, std::iter::once(file));
            }
        });
    }
}

/// Fills the form with the magnet link in the fragment of an address. What it holds already stays.
pub(super) fn draft(model: Model, hash: &str) {
    let hash = match decode_uri_component(hash) {
        Ok(text) if is_escaped(hash) => String::from(text),
        _ => hash.to_owned(),
    };
    if let Some(magnet) = magnet_of_hash(&hash) {
        let typed = model.draft.get_untracked();
        if !typed.contains(magnet) {
            let both = format!("{} {magnet}", typed.trim());
            model.draft.set(both.trim().to_owned());
        }
    }
}

async fn read(handle: FileSystemFileHandle) -> Option<File> {
    JsFuture::from(handle.get_file())
        .await
        .ok()?
        .dyn_into()
        .ok()
}
