//! The service worker, which lets media elements load files that are still being downloaded. See
//! [`crate::engine`] for what answers it.

use std::time::Duration;

use js_sys::{Function, Promise, Reflect, encode_uri_component};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageEvent, ServiceWorkerContainer, ServiceWorkerRegistration};

use super::model::Model;
use crate::message::{FileRow, ToWorker};

/// The script of the service worker.
const SCRIPT: &str = "/sw.js";
/// The message that makes the service worker take control of all pages.
const CLAIM: &str = "claim";
/// How often the service worker receives a message while something plays: browsers stop one that
/// has had no event for 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Whether files can be played while they are downloaded. Copies share it.
#[derive(Clone, Copy)]
pub(crate) struct Streaming {
    ready: RwSignal<bool>,
}

impl Streaming {
    /// Installs the service worker. In a browser that has none, or refuses it, only complete files
    /// are played.
    pub(crate) fn start(model: Model) -> Self {
        let streaming = Self {
            ready: RwSignal::new(false),
        };
        if let Some(container) = container() {
            forward_requests(&container, model);
            spawn_local(async move {
                // Without it, the page does not offer to play incomplete files.
                drop(streaming.install(container).await);
            });
        }
        streaming
    }

    async fn install(self, container: ServiceWorkerContainer) -> Result<(), JsValue> {
        JsFuture::from(container.register(SCRIPT)).await?;
        let registration = JsFuture::from(container.ready()?).await?;
        let registration: ServiceWorkerRegistration = registration.dyn_into()?;
        // It takes control of a page that was loaded before it was installed, and of one that was
        // loaded without it, as after a forced reload, if it is asked to.
        while container.controller().is_none() {
            let changed = next_controller(&container);
            if let Some(active) = registration.active() {
                active.post_message(&CLAIM.into())?;
            }
            JsFuture::from(changed).await?;
        }
        self.ready.set(true);
        Ok(())
    }

    /// Whether an incomplete file can be played.
    pub(crate) fn is_ready(self) -> bool {
        self.ready.get()
    }

    /// The address of a torrent's file for media elements, if they can load it.
    pub(crate) fn address(self, folder: &str, row: &FileRow) -> Option<String> {
        let name = encode_uri_component(&row.name);
        self.ready
            .get_untracked()
            .then(|| format!("/play/{folder}/{}/{name}", row.index))
    }

    /// Keeps the service worker running until the owner of the current scope is dropped.
    pub(crate) fn keep_alive() {
        let ping = || tell_service_worker(&JsValue::NULL);
        if let Ok(interval) = set_interval_with_handle(ping, KEEP_ALIVE) {
            on_cleanup(move || interval.clear());
        }
    }
}

/// The browser's interface; `None` in a page that was not loaded securely, and in private windows
/// of some browsers.
fn container() -> Option<ServiceWorkerContainer> {
    let navigator = window().navigator();
    let found = Reflect::get(&navigator, &"serviceWorker".into()).ok()?;
    found.dyn_into().ok()
}

/// Sends a message to the service worker, if there is one.
pub(super) fn tell_service_worker(message: &JsValue) {
    if let Some(worker) = container().and_then(|container| container.controller()) {
        // Fails only for what cannot be cloned.
        drop(worker.post_message(message));
    }
}

/// Resolves when another service worker controls the page.
fn next_controller(container: &ServiceWorkerContainer) -> Promise {
    Promise::new(&mut |resolve: Function, _| {
        container.set_oncontrollerchange(Some(&resolve));
    })
}

/// Passes the service worker's requests to this tab's worker, if it has the torrents.
fn forward_requests(container: &ServiceWorkerContainer, model: Model) {
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let leads = model.blocked.with_untracked(Option::is_none);
        if let (true, Some(message)) = (leads, parse(&event.data())) {
            model.send_with(&message, Some(&event.ports().get(0)));
        }
    });
    container.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
}

/// `{ play: { folder, file, range } }`, in which `range` may be null.
fn parse(data: &JsValue) -> Option<ToWorker> {
    let field = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).ok();
    let request = field(data, "play")?;
    let file = field(&request, "file")?.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number that is no index names no file"
    )]
    Some(ToWorker::Play {
        folder: field(&request, "folder")?.as_string()?,
        file: file as u32,
        range: field(&request, "range")?.as_string(),
    })
}
