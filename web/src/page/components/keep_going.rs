//! What the page may do outside of itself: keep the screen on, notify, open magnet links.

use js_sys::{Function, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};

use super::fields::Check;
use crate::page::model::Model;
use crate::page::preferences::Preferences;
use crate::page::{notification, page_address, screen};
use crate::texts::settings as texts;

/// The user's choices, and what this browser cannot do.
#[component]
pub fn KeepGoing() -> impl IntoView {
    view! {
        <div class="permitted">
            <ScreenChoice/>
            <NotifyChoice/>
            <MagnetHandler/>
        </div>
    }
}

#[component]
fn ScreenChoice() -> impl IntoView {
    let preferences = expect_context::<Preferences>();
    if !screen::is_supported() {
        return view! { <p>{texts::screen_unsupported()}</p> }.into_any();
    }
    let checked = Signal::derive(move || preferences.permitted.get().keep_screen_on);
    let set = Callback::new(move |is_wanted| {
        preferences.permit(|permitted| permitted.keep_screen_on = is_wanted);
    });
    view! { <Check checked set>{texts::keep_screen_on()}</Check> }.into_any()
}

#[component]
fn NotifyChoice() -> impl IntoView {
    let (preferences, model) = (expect_context::<Preferences>(), expect_context::<Model>());
    if !notification::is_supported() {
        return view! { <p>{texts::notifications_unsupported()}</p> }.into_any();
    }
    let checked = Signal::derive(move || preferences.permitted.get().notify);
    let set = Callback::new(move |is_wanted| {
        preferences.permit(|permitted| permitted.notify = is_wanted);
        if is_wanted {
            spawn_local(async move {
                if !notification::ask().await {
                    preferences.permit(|permitted| permitted.notify = false);
                    model
                        .notices
                        .show_error(texts::notifications_refused().to_owned());
                }
            });
        }
    });
    view! { <Check checked set>{texts::notify()}</Check> }.into_any()
}

/// Offers to open the magnet links of other pages here. Browsers ask the user once more.
#[component]
fn MagnetHandler() -> impl IntoView {
    let model = expect_context::<Model>();
    if register().is_none() {
        return view! { <p>{texts::magnet_links_unsupported()}</p> }.into_any();
    }
    let click = move |_| {
        let address = JsValue::from(format!("{}#%s", page_address()));
        let done = register().map(|f| f.call2(&window().navigator(), &"magnet".into(), &address));
        if !matches!(done, Some(Ok(_))) {
            model
                .notices
                .show_error(texts::magnet_links_refused().to_owned());
        }
    };
    view! { <button type="button" on:click=click>{texts::open_magnet_links()}</button> }.into_any()
}

/// `navigator.registerProtocolHandler`, if the browser has it.
fn register() -> Option<Function> {
    let found = Reflect::get(&window().navigator(), &"registerProtocolHandler".into()).ok()?;
    found.dyn_into().ok()
}
