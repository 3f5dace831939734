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

    /// The first language of the page among these tags (BCP 47), which are in the user's order.
    pub(crate) fn of_tags(tags: impl IntoIterator<Item = String>) -> Self {
        tags.into_iter()
            .find_map(|tag| Self::of_tag(&tag))
            .unwrap_or_default()
    }

    /// The language of a tag, whatever its region is.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next()?;
        Self::ALL
            .into_iter()
            .map(|(language, _)| language)
            .find(|language| primary.eq_ignore_ascii_case(language.tag()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_the_page_has_is_used() {
        let of = |tags: &[&str]| Language::of_tags(tags.iter().map(|tag| (*tag).to_owned()));
        assert_eq!(of(&["de-AT", "en"]), Language::German);
        assert_eq!(of(&["fr", "DE"]), Language::German);
        assert_eq!(of(&["fr", "en-GB", "de"]), Language::English);
        assert_eq!(of(&["fr"]), Language::English);
        assert_eq!(of(&[]), Language::English);
    }
}
