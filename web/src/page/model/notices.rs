//! What the page tells the user: errors, and short confirmations.

use std::time::Duration;

use leptos::prelude::*;

/// How long a confirmation is shown.
const CONFIRMATION: Duration = Duration::from_secs(8);

/// What the page tells the user at present. Copies share it.
#[derive(Clone, Copy)]
pub(crate) struct Notices {
    /// Errors, oldest first, until the user dismisses them.
    pub(crate) errors: RwSignal<Vec<String>>,
    /// For how many seconds the worker was suspended last, until the user dismisses it.
    pub(crate) suspended: RwSignal<Option<u32>>,
    /// The magnet link of what was just shared, or of a torrent whose link the browser does not let
    /// the page copy, until the user dismisses it.
    pub(crate) link_to_copy: RwSignal<Option<String>>,
    /// A confirmation, shown for some seconds.
    pub(crate) confirmation: RwSignal<String>,
    /// The number of confirmations so far.
    count: StoredValue<u64>,
}

impl Notices {
    pub(super) fn new() -> Self {
        Self {
            errors: RwSignal::new(Vec::new()),
            suspended: RwSignal::new(None),
            link_to_copy: RwSignal::new(None),
            confirmation: RwSignal::new(String::new()),
            count: StoredValue::new(0),
        }
    }

    /// Shows a confirmation for some seconds.
    pub(crate) fn show(self, text: String) {
        let number = self.count.try_update_value(|n| {
            *n += 1;
            *n
        });
        self.confirmation.set(text);
        let clear = move || {
            if Some(self.count.get_value()) == number {
                self.confirmation.set(String::new());
            }
        };
        set_timeout(clear, CONFIRMATION);
    }

    /// Shows an error until the user dismisses it. The same text is shown once.
    pub(crate) fn show_error(self, text: String) {
        if self.errors.with_untracked(|all| !all.contains(&text)) {
            self.errors.update(|all| all.push(text));
        }
    }
}
