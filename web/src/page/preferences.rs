//! The user's settings, theme and permissions, which are stored in the browser for later visits.

use leptos::ev;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::local_storage::{self, SETTINGS};
use super::model::Model;
use crate::message::{Settings, ToWorker};

/// The key of the theme in the origin's local storage, which `boot.js` also reads.
const THEME: &str = "aqueduct.theme";
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
    /// All themes, with their names on the page.
    pub(crate) const ALL: [(Self, &'static str); 3] = [
        (Self::System, "As the system"),
        (Self::Light, "Light"),
        (Self::Dark, "Dark"),
    ];

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
