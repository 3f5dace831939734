//! The languages of the page.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::codec::Encoded;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encoded)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English, also for users of languages that the page lacks.
    #[default]
    English,
    /// German.
    German,
}

thread_local! {
    /// Set once, before the first text is needed.
    static CURRENT: Cell<Language> = const { Cell::new(Language::English) };
}

impl Language {
    /// All languages, each with its own name for itself.
    pub(crate) const ALL: [(Self, &'static str); 2] =
        [(Self::English, "English"), (Self::German, "Deutsch")];

    /// The language of this thread's texts.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Sets the language of this thread's texts. Texts that are already shown do not change.
    pub(crate) fn set_current(self) {
        CURRENT.set(self);
    }

    /// Its tag (BCP 47).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language with this tag.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .map(|(language, _)| language)
            .find(|language| language.tag() == tag)
    }

    /// Runs a test in this language.
    #[cfg(test)]
    pub(crate) fn during<T>(self, run: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(self);
        let result = run();
        CURRENT.set(before);
        result
    }

    /// The value for this language.
    pub(crate) fn pick<T>(self, english: T, german: T) -> T {
        match self {
            Self::English => english,
            Self::German => german,
        }
    }
}
