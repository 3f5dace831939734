//! What the page does around downloads if the user has asked for it. Stored for later visits.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::local_storage;

/// The key in the origin's local storage.
const KEY: &str = "aqueduct.habits";

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    keep_screen_on: bool,
    notify: bool,
}

/// The user's choices. Copies share them.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// Whether the screen stays on while something is downloaded.
    pub(crate) keep_screen_on: RwSignal<bool>,
    /// Whether a notification tells that a download is complete.
    pub(crate) notify: RwSignal<bool>,
}

impl Habits {
    /// The stored choices, which are stored again whenever they change.
    pub(crate) fn new() -> Self {
        let stored: Stored = local_storage::read(KEY);
        let habits = Self {
            keep_screen_on: RwSignal::new(stored.keep_screen_on),
            notify: RwSignal::new(stored.notify),
        };
        Effect::new(move |_| local_storage::write(KEY, &habits.stored()));
        habits
    }

    fn stored(self) -> Stored {
        Stored {
            keep_screen_on: self.keep_screen_on.get(),
            notify: self.notify.get(),
        }
    }
}
