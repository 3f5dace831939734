//! Notifications of complete downloads, if the user wants them and the browser allows them.

use aqueduct_core::types::SortedSet;
use js_sys::{Function, Object, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::model::Model;
use super::preferences::Preferences;
use super::streaming::tell_service_worker;
use crate::texts::status;

/// Whether the browser has notifications.
pub(super) fn is_supported() -> bool {
    class().is_some()
}

fn class() -> Option<JsValue> {
    let class = Reflect::get(&window(), &"Notification".into()).ok()?;
    class.is_function().then_some(class)
}

/// Asks the user for permission, unless they were asked before. Browsers permit this only in an
/// event that the user has caused. Returns whether notifications are allowed.
pub(super) async fn ask() -> bool {
    let Some(class) = class() else {
        return false;
    };
    let request =
        Reflect::get(&class, &"requestPermission".into()).and_then(JsCast::dyn_into::<Function>);
    let answer = request.and_then(|request| request.call0(&class));
    let Ok(answer) = answer.and_then(JsCast::dyn_into::<Promise>) else {
        return false;
    };
    JsFuture::from(answer)
        .await
        .is_ok_and(|answer| answer == "granted")
}

/// Tells of each download that is complete while nobody looks at the page.
pub(super) fn notify_when_complete(model: Model, preferences: Preferences) {
    let running = StoredValue::new(SortedSet::new());
    Effect::new(move |_| {
        let (mut downloads, mut complete) = (SortedSet::new(), Vec::new());
        model.torrents.with(|all| {
            for entry in all {
                entry.torrent.with(|torrent| {
                    if torrent.is_complete() {
                        complete.push((entry.id, torrent.name.clone()));
                    } else if torrent.phase.is_download() {
                        downloads.insert(entry.id);
                    }
                });
            }
        });
        let before = running.try_update_value(|running| std::mem::replace(running, downloads));
        let before = before.unwrap_or_default();
        complete.retain(|(id, _)| before.contains(id));
        let leads = model.blocked.with_untracked(Option::is_none);
        if leads && preferences.permitted.get_untracked().notify && !is_looked_at() {
            complete.iter().for_each(|(_, name)| notify(name));
        }
    });
}

/// Whether the page is visible and has the focus.
fn is_looked_at() -> bool {
    !document().hidden() && document().has_focus().unwrap_or(false)
}

/// The service worker shows it, since some browsers refuse pages.
fn notify(name: &str) {
    let (message, notification) = (Object::new(), Object::new());
    let set = |object: &Object, key: &str, value: &JsValue| {
        // Fails only for an object that cannot be changed.
        drop(Reflect::set(object, &key.into(), value));
    };
    set(&notification, "title", &name.into());
    set(&notification, "body", &status::can_be_saved().into());
    set(&message, "notify", &notification);
    tell_service_worker(&message);
}
