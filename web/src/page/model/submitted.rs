//! What was typed and sent to be added last.

/// The text, and those of its links that are not in the list yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Submitted {
    pub(crate) text: String,
    pub(crate) links: Vec<String>,
}

impl Submitted {
    /// One of the links is in the list now. Returns the text as it was and as it is without that
    /// link; `None` if it was none of them.
    pub(crate) fn accept(&mut self, link: &str) -> Option<(String, String)> {
        let at = self.links.iter().position(|other| other == link)?;
        self.links.remove(at);
        let rest = self.links.join(" ");
        Some((std::mem::replace(&mut self.text, rest.clone()), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_leaves_the_text_and_what_was_not_stays_in_it() {
        let links = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut submitted = Submitted {
            text: "a, b c".to_owned(),
            links,
        };
        assert_eq!(
            submitted.accept("b"),
            Some(("a, b c".to_owned(), "a c".to_owned()))
        );
        assert_eq!(submitted.accept("x"), None);
        assert_eq!(
            submitted.accept("a"),
            Some(("a c".to_owned(), "c".to_owned()))
        );
    }
}
