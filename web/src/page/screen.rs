//! Keeps the screen on while something is downloaded, if the user wants that.

use js_sys::{Function, Promise, Reflect};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::model::Model;
use super::preferences::Preferences;

/// Whether the browser can keep the screen on.
pub(super) fn is_supported() -> bool {
    wake_lock().is_some()
}

/// `navigator.wakeLock` and its `request`.
fn wake_lock() -> Option<(JsValue, Function)> {
    let wake_lock = Reflect::get(&window().navigator(), &"wakeLock".into()).ok()?;
    let request = Reflect::get(&wake_lock, &"request".into()).ok()?;
    Some((wake_lock, request.dyn_into().ok()?))
}

/// Keeps the screen on as long as the user wants it, the page is visible and something is
/// downloaded.
pub(super) fn keep_screen_on(model: Model, preferences: Preferences) {
    let is_visible = RwSignal::new(!document().hidden());
    window_event_listener(ev::visibilitychange, move |_| {
        is_visible.set(!document().hidden())
    });
    let is_wanted =
        Memo::new(move |_| preferences.permitted.get().keep_screen_on && model.is_downloading());
    let sentinel = StoredValue::new_local(None::<JsValue>);
    // The browser ends the lock of a page that is hidden.
    Effect::new(move |_| {
        if is_wanted.get() && is_visible.get() {
            spawn_local(async move {
                let taken = request().await;
                if is_wanted.get_untracked() {
                    sentinel.set_value(taken);
                } else if let Some(taken) = taken {
                    release(&taken);
                }
            });
        } else if let Some(held) = sentinel.try_update_value(Option::take).flatten() {
            release(&held);
        }
    });
}

/// `None` if the browser refuses, for instance because the battery is low.
async fn request() -> Option<JsValue> {
    let (wake_lock, request) = wake_lock()?;
    let promise: Promise = request
        .call1(&wake_lock, &"screen".into())
        .ok()?
        .dyn_into()
        .ok()?;
    JsFuture::from(promise).await.ok()
}

fn release(sentinel: &JsValue) {
    let release = Reflect::get(sentinel, &"release".into()).and_then(JsCast::dyn_into::<Function>);
    // A lock that has ended can be released again.
    drop(release.and_then(|release| release.call0(sentinel)));
}
