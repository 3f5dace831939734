//! Keeps the page running while something is downloaded, or played by a player outside the browser,
//! as far as browsers let it.
//!
//! Chromium freezes busy pages some minutes after they were hidden, unless they hold a lock that
//! another context waits for. The page holds one, and the service worker waits for it.

use std::time::Duration;

use js_sys::{Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use super::model::Model;
use super::streaming::tell_service_worker;
use crate::browser::lock::{HeldLock, hold};

const LOCK: &str = "aqueduct.download";
/// How often the service worker is asked to wait. Browsers end one some minutes after its last
/// event, also while it waits.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// What is held while the page must run. Dropping it releases the lock.
struct Awake {
    _lock: HeldLock,
    again: Option<IntervalHandle>,
}

impl Awake {
    /// `None` if the browser has no locks, or refuses them.
    fn begin() -> Option<Self> {
        Some(Self {
            _lock: hold(LOCK, ask_to_wait).ok()?,
            again: set_interval_with_handle(ask_to_wait, ASK_AGAIN).ok(),
        })
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(again) = self.again {
            again.clear();
        }
    }
}

/// Keeps the page running while its tab leads, and downloads something or sends it to a player
/// outside the browser.
pub(super) fn keep_awake(model: Model) {
    let is_needed = Memo::new(move |_| model.is_downloading() || model.is_read());
    let awake = StoredValue::new_local(None);
    Effect::new(move |_| awake.set_value(is_needed.get().then(Awake::begin).flatten()));
}

/// Asks the service worker to wait for the lock.
fn ask_to_wait() {
    let message = Object::new();
    // Fails only for an object that cannot be changed.
    drop(Reflect::set(&message, &"wait".into(), &LOCK.into()));
    tell_service_worker(&JsValue::from(message));
}
