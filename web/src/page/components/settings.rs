//! The settings, in a dialog.

use leptos::prelude::*;

use super::dialog::Dialog;
use super::fields::{AddressesField, Choice, Field, LimitFields, WhenCompleteFields};
use super::keep_going::KeepGoing;
use super::storage_use::StorageUse;
use crate::page::input;
use crate::page::preferences::{Preferences, Theme, choose_language, chosen_language};
use crate::texts::{Language, settings as texts};

/// A button that opens the dialog, and the dialog while it is open.
#[component]
pub fn SettingsButton() -> impl IntoView {
    let is_open = RwSignal::new(false);
    let close = Callback::new(move |()| is_open.set(false));
    view! {
        <button type="button" on:click=move |_| is_open.set(true)>{texts::settings()}</button>
        <Show when=move || is_open.get()>
            <Dialog class="settings" heading=texts::settings().to_owned() close>
                <Fields/>
            </Dialog>
        </Show>
    }
}

#[component]
fn Fields() -> impl IntoView {
    view! {
        <section class="fields" aria-labelledby="settings-transfers">
            <h3 id="settings-transfers">{texts::transfers()}</h3>
            <Transfers/>
        </section>
        <section class="fields" aria-labelledby="settings-page">
            <h3 id="settings-page">{texts::this_page()}</h3>
            <ThemeChoice/>
            <LanguageChoice/>
            <KeepGoing/>
            <StorageUse/>
        </section>
    }
}

#[component]
fn Transfers() -> impl IntoView {
    let preferences = expect_context::<Preferences>();
    let settings = preferences.settings;
    let limits = Signal::derive(move || settings.with(|s| s.limits));
    let set_limits = Callback::new(move |limits| preferences.change(|s| s.limits = limits));
    let peers = Signal::derive(move || settings.with(|s| s.max_peers.to_string()));
    let set_peers = Callback::new(move |text: String| {
        let peers = input::peers(&text)?;
        preferences.change(|s| s.max_peers = peers);
        Ok(())
    });
    let when_complete = Signal::derive(move || Some(settings.with(|s| s.when_complete)));
    let set_when_complete = Callback::new(move |rule: Option<_>| {
        preferences.change(|s| s.when_complete = rule.unwrap_or_default());
    });
    let trackers = Signal::derive(move || settings.with(|s| s.trackers.clone()));
    let set_trackers = Callback::new(move |urls| preferences.change(|s| s.trackers = urls));
    view! {
        <LimitFields ids=["settings-down", "settings-up"] limits set=set_limits/>
        <Field id="settings-peers" label=texts::peers_per_torrent() hint=texts::peers_hint() value=peers set=set_peers/>
        <WhenCompleteFields
            ids=["settings-complete", "settings-ratio"] label=texts::when_complete() value=when_complete set=set_when_complete
        />
        <AddressesField
            id="settings-trackers" label=texts::default_trackers() hint=texts::default_trackers_hint()
            schemes=input::TRACKERS addresses=trackers set=set_trackers
        />
    }
}

#[component]
fn ThemeChoice() -> impl IntoView {
    let preferences = expect_context::<Preferences>();
    let chosen = Signal::derive(move || {
        let theme = preferences.theme.get();
        let at = Theme::ALL.iter().position(|other| *other == theme);
        at.unwrap_or(0)
    });
    let choose = Callback::new(move |at: usize| {
        preferences.set_theme(Theme::ALL.get(at).copied().unwrap_or_default());
    });
    let options = Theme::ALL.into_iter().map(Theme::name).collect();
    view! { <Choice id="settings-theme" label=texts::theme() options chosen choose/> }
}

#[component]
fn LanguageChoice() -> impl IntoView {
    let language = chosen_language();
    let at = Language::ALL
        .iter()
        .position(|(other, _)| Some(*other) == language);
    // The first one is the browser's.
    let chosen = Signal::stored(at.map_or(0, |at| at + 1));
    let choose = Callback::new(move |at: usize| {
        let language = at.checked_sub(1).and_then(|at| Language::ALL.get(at));
        choose_language(language.map(|(language, _)| *language));
    });
    let names = Language::ALL.iter().map(|(_, name)| *name);
    let options = std::iter::once(texts::language_of_browser())
        .chain(names)
        .collect();
    view! {
        <Choice
            id="settings-language" label=texts::language() options chosen choose
        />
    }
}
