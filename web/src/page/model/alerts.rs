//! Why the last things that the user tried to add were not added.

use leptos::prelude::*;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The text field.
    TextField,
    /// What was chosen or dropped.
    Other,
}

/// The reasons, one text each, until the user adds something else. Copies share them.
#[derive(Clone, Copy)]
pub(crate) struct Alerts(RwSignal<Vec<(Subject, String)>>);

impl Alerts {
    pub(super) fn new() -> Self {
        Self(RwSignal::new(Vec::new()))
    }

    /// All of them.
    pub(crate) fn get(self) -> Vec<(Subject, String)> {
        self.0.get()
    }

    /// Whether any is about the text field.
    pub(crate) fn is_text_field_wrong(self) -> bool {
        self.0
            .with(|all| all.iter().any(|(about, _)| *about == Subject::TextField))
    }

    /// Shows another one.
    pub(crate) fn show(self, about: Subject, why: String) {
        let alert = (about, why);
        if self.0.with_untracked(|all| !all.contains(&alert)) {
            self.0.update(|all| all.push(alert));
        }
    }

    /// Shows this one instead of all others.
    pub(super) fn show_only(self, about: Subject, why: String) {
        self.0.set(vec![(about, why)]);
    }

    /// Hides all.
    pub(crate) fn clear(self) {
        self.0.set(Vec::new());
    }
}
