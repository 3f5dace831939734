//! The user's settings, theme, language and permissions, which are stored in the browser for later
//! visits.

use leptos::ev;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::local_storage::{self, SETTINGS};
use super::model::Model;
use crate::message::{Settings, ToWorker};
use crate::texts::{Language, settings as texts};

/// The key of the theme in the origin's local storage, which `boot.js` also reads.
const THEME: &str = "aqueduct.theme";
/// The key of the language in the origin's local storage, which `boot.js` also reads.
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
    local_storage::read(LANGUAGE)
}

/// Chooses a language, and loads the page again, since texts that are shown do not change.
pub(crate) fn choose_language(language: Option<Language>) {
    local_storage::write(LANGUAGE, &language);
    // Fails only in a sandbox, where the page cannot load itself again. Then it applies next time.
    drop(window().location().reload());
}

/// The texts that follow are in the user's language.
pub(super) fn apply_language() {
    let preferred = || {
        let tags = window().navigator().languages();
        Language::of_tags(tags.iter().filter_map(|tag| tag.as_string()))
    };
    let language = chosen_language().unwrap_or_else(preferred);
    language.set_current();
    let root = document().document_element();
    // Fails only for an invalid attribute name.
    drop(root.map(|root| root.set_attribute("lang", language.tag())));
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
    model: Model,
}

impl Preferences {
    /// The stored preferences. They follow changes in other tabs.
    pub(crate) fn new(model: Model) -> Self {
        let preferences = Self {
            settings: RwSignal::new(local_storage::read(SETTINGS)),
            theme: RwSignal::new(local_storage::read(THEME)),
            permitted: RwSignal::new(local_storage::read(PERMITTED)),
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
