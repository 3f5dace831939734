//! The user's settings, theme, language and permissions, which are stored in the browser for later
//! visits.

use leptos::ev;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::local_storage::{self, SETTINGS};
use super::model::Model;
use crate::message::{Settings, ToWorker};
use crate::texts::{Language, settings as texts};

/// The key of the theme in the origin's local storage, which `early.js` also reads.
const THEME: &str = "aqueduct.theme";
/// The key of the language's tag in the origin's local storage. `early.js` reads it and decides which
/// language the page has.
const LANGUAGE: &str = "aqueduct.language";
/// The key of the permissions in the origin's local storage.
const PERMITTED: &str = "aqueduct.permitted";

/// The colours of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// As the system prefers.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// All themes.
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name on the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => texts::theme_of_system(),
            Self::Light => texts::light_theme(),
            Self::Dark => texts::dark_theme(),
        }
    }

    /// Shows the page in this theme.
    fn apply(self) {
        let name = match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        };
        let root = document().document_element();
        // Fails only for an invalid attribute name.
        drop(root.map(|root| root.set_attribute("data-theme", name)));
    }
}

/// The language that the user chose; `None`: as the browser prefers.
pub(crate) fn chosen_language() -> Option<Language> {
    let tag: Option<String> = local_storage::read(LANGUAGE);
    Language::of_tag(&tag?)
}

/// Chooses a language, and loads the page again, since texts that are shown do not change.
pub(crate) fn choose_language(language: Option<Language>) {
    local_storage::write(LANGUAGE, &language.map(Language::tag));
    reload();
}

fn reload() {
    // Fails only in a sandbox, where the page cannot load itself again. Then it applies next time.
    drop(window().location().reload());
}

/// The texts that follow are in the page's language.
pub(super) fn apply_language() {
    let root = document().document_element();
    let tag = root.and_then(|root| root.get_attribute("lang"));
    let language = tag.and_then(|tag| Language::of_tag(&tag));
    language.unwrap_or_default().set_current();
}

/// What the page does outside of itself only if the user permits it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Permitted {
    /// To keep the screen on while something is downloaded.
    pub(crate) keep_screen_on: bool,
    /// To notify the user that a download is complete.
    pub(crate) notify: bool,
}

/// Settings, theme and permissions. Copies share them.
#[derive(Clone, Copy)]
pub(crate) struct Preferences {
    pub(crate) settings: RwSignal<Settings>,
    pub(crate) theme: RwSignal<Theme>,
    pub(crate) permitted: RwSignal<Permitted>,
    /// The language that was chosen when the page was loaded.
    language: Option<Language>,
    model: Model,
}

impl Preferences {
    /// The stored preferences. They follow changes in other tabs.
    pub(crate) fn new(model: Model) -> Self {
        let preferences = Self {
            settings: RwSignal::new(local_storage::read(SETTINGS)),
            theme: RwSignal::new(local_storage::read(THEME)),
            permitted: RwSignal::new(local_storage::read(PERMITTED)),
            language: chosen_language(),
            model,
        };
        window_event_listener(ev::storage, move |_| preferences.read_again());
        Effect::new(move |_| preferences.theme.get().apply());
        preferences
    }

    fn read_again(self) {
        self.settings.set(local_storage::read(SETTINGS));
        self.theme.set(local_storage::read(THEME));
        self.permitted.set(local_storage::read(PERMITTED));
        if chosen_language() != self.language && self.can_reload() {
            reload();
        }
    }

    /// Whether the page may be loaded again by itself: nothing would be lost, and the user is not in
    /// the middle of something. Otherwise another language applies when the page is loaded next.
    fn can_reload(self) -> bool {
        let has_dialog = document().query_selector("dialog").ok().flatten().is_some();
        !has_dialog && !self.model.would_lose() && !self.model.is_being_filled_in()
    }

    /// Changes the settings, which then apply to all torrents.
    pub(crate) fn change(self, change: impl FnOnce(&mut Settings)) {
        self.settings.update(change);
        let settings = self.settings.get_untracked();
        local_storage::write(SETTINGS, &settings);
        self.model.send(&ToWorker::Settings(settings));
    }

    /// Changes the theme.
    pub(crate) fn set_theme(self, theme: Theme) {
        local_storage::write(THEME, &theme);
        self.theme.set(theme);
    }

    /// Changes what the page may do outside of itself.
    pub(crate) fn permit(self, change: impl FnOnce(&mut Permitted)) {
        self.permitted.update(change);
        local_storage::write(PERMITTED, &self.permitted.get_untracked());
    }
}
